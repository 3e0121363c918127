"""``Packed``: the stream of tokens as rows of one length, with the borders of the documents in each, computed when asked for."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slimlit.text.tokens.shards import Integers, Shards, Tokens


@dataclass(frozen=True)
class Row:
    """Tokens of consecutive documents, side by side.

    Args:
        tokens: at most ``max_length`` of them.
        borders: places in the row: 0, where each next document begins, and its length.
        first_document: the number of the document the row begins in.
        into: how many tokens of that document stand in rows before.
    """

    tokens: Tokens
    borders: Integers
    first_document: int
    into: int

    def segments(self) -> Integers:
        """Of each token, which of the row's documents it belongs to, from 0: attention stays within equal numbers."""
        return np.repeat(np.arange(len(self.borders) - 1), np.diff(self.borders))

    def position_ids(self) -> Integers:
        """Of each token, its place since its document (or the row) began, from 0."""
        starts = self.borders[:-1]
        return np.arange(len(self.tokens)) - np.repeat(starts, np.diff(self.borders))


class Packed:
    """Rows of ``max_length`` tokens, cut out of the stream one after the other; the last may be shorter.

    Guarantees:
        - the rows end to end are the stream: each token is in one row, once, and none is padding;
        - a row's borders are the documents' own; empty documents have none;
        - making it, or asking for a row, costs two binary searches, whatever the number of tokens; a row is a view of the
          mapped file unless it goes over the end of a shard.

    Args:
        shards: the documents.
        max_length: tokens of a row.
    """

    def __init__(self, shards: Shards, max_length: int) -> None:
        if max_length < 1:
            raise ValueError(f"max_length is {max_length}; expected at least 1")
        self.shards = shards
        self.max_length = max_length

    def __len__(self) -> int:
        return -(-self.shards.num_tokens // self.max_length)

    def __getitem__(self, number: int) -> Row:
        if not 0 <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        start = number * self.max_length
        end = min(start + self.max_length, self.shards.num_tokens)
        offsets = self.shards.offsets
        first = int(np.searchsorted(offsets, start, side="right")) - 1
        last = int(np.searchsorted(offsets, end, side="left"))
        inside = np.unique(offsets[first + 1 : last]) - start
        borders: npt.NDArray[np.int64] = np.concatenate([[0], inside, [end - start]])
        return Row(self.shards.tokens(start, end), borders, first, start - int(offsets[first]))
