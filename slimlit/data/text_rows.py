"""``TextRows``: a split of pieces of documents, one or several in a row, with the bytes of text that are asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.data.examples import IGNORED, Column, Examples
from slimlit.data.pieces import Piece, pack

Numbers = npt.NDArray[np.int64]


@dataclass
class TextRows(Examples):
    """Rows of tokens.

    Args:
        num_bytes: of each row, the UTF-8 bytes of what its labels say: what bits per byte are counted by.
        documents: of each row, the number of the document its first piece is of.
    """

    num_bytes: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))
    documents: Numbers = field(default_factory=lambda: np.zeros(0, np.int64))

    def bytes_of(self, rows: Sequence[int]) -> int:
        """UTF-8 bytes of the text those rows ask for."""
        return int(self.num_bytes[np.asarray(rows, dtype=np.int64)].sum())


def lay_rows(
    pieces: Iterable[Piece], pad: int, max_length: int, packing: bool
) -> tuple[dict[str, Column], dict[str, Any]]:
    """The columns of rows, and counts to report.

    Args:
        pieces: of all documents.
        pad: the number of the padding token.
        max_length: tokens of a row at most.
        packing: several pieces in a row; else each piece is a row.
    """
    whole = list(pieces)
    rows = pack([len(piece.input_ids) for piece in whole], max_length) if packing else [[n] for n in range(len(whole))]
    chosen = [[whole[number] for number in row] for row in rows]
    columns = {"input_ids": Column.of([_joined([one.input_ids for one in row]) for row in chosen], pad)}
    if whole and whole[0].labels is not None:
        columns["labels"] = Column.of([_joined([one.labels for one in row]) for row in chosen], IGNORED)
    if whole and whole[0].begins is not None:
        columns["begins"] = Column.of([_joined([one.begins for one in row]) for row in chosen], -1)
    if packing:
        lengths = [[len(one.input_ids) for one in row] for row in chosen]
        columns["position_ids"] = Column.of([_joined([np.arange(size) for size in row]) for row in lengths])
        columns["segment_ids"] = Column.of([np.repeat(np.arange(1, len(row) + 1), row) for row in lengths])
    columns["num_bytes"] = Column.of([[sum(one.num_bytes for one in row)] for row in chosen], dtype=np.int64)
    columns["documents"] = Column.of([[row[0].document] for row in chosen], dtype=np.int64)
    counts = np.bincount([piece.document for piece in whole]) if whole else np.zeros(1)
    tokens = sum(len(piece.input_ids) for piece in whole)
    notes: dict[str, Any] = {
        "rows": len(rows),
        "tokens": tokens,
        "bytes asked for": sum(piece.num_bytes for piece in whole),
        "documents cut": int((counts > 1).sum()),
    }
    if packing:
        notes["share of rows left empty"] = round(1.0 - tokens / max(1, len(rows) * max_length), 4)
    return columns, notes


def _joined(parts: Sequence[Any]) -> npt.NDArray[np.int32]:
    return np.concatenate(parts).astype(np.int32)
