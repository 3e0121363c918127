"""``ShardRows``: rows cut out of token shards as they are asked for; nothing but a batch is ever in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from slimlit.data.examples import IGNORED
from slimlit.models.tokenizers import Tokenizer
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.packing import Packed, Row
from slimlit.text.tokens.shards import MANIFEST, Shards
from slimlit.types import Batch


def find_shards(source: str, split: str, is_own: bool) -> Path | None:
    """The folder of a split's shards: the subfolder of its name, or ``source`` where that is the split's own; None without."""
    for folder in (Path(source).expanduser() / split, *([Path(source).expanduser()] if is_own else [])):
        if (folder / MANIFEST).is_file() and any(folder.glob("*.npy")):  # prepared texts have a manifest too
            return folder
    return None


class ShardRows(Dataset[Batch]):
    """Rows of the stream of tokens, each as long as can be, with the documents in it apart.

    A document that goes over the end of a row goes on in the next, which does not see what came before. The token after each
    is its label, -100 where its document ends. Bytes asked for are those of a document shared out evenly over its tokens, since
    the text is not there: about right, where rows of texts count them exactly.

    Args:
        folder: as ``write_shards`` wrote it.
        tokenizer: the one it was written with.
        max_length: tokens of a row.
    """

    def __init__(self, folder: Path, tokenizer: Tokenizer, max_length: int) -> None:
        self.shards = Shards(folder, Encoder(tokenizer.backend_tokenizer, fast=False).fingerprint)
        self.rows = Packed(self.shards, max_length)
        self.pad = int(tokenizer.pad_token_id or 0)
        self.fingerprint = f"{self.shards.fingerprint} in rows of {max_length}"
        self.texts = [f"token shards {self.shards.fingerprint}"]  # the text itself is not there
        self.text_fingerprint = self.shards.text_fingerprint
        self.pairs: list[str] | None = None
        self.notes: dict[str, Any] = {"rows": len(self.rows), "tokens": self.shards.num_tokens}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Batch:
        return self.batch([row])

    def __getitems__(self, rows: list[int]) -> Batch:
        """The whole batch at once: the data loader asks for nothing else."""
        return self.batch(rows)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each row: all the same but the last."""
        found = np.full(len(self), self.rows.max_length, dtype=np.int64)
        if len(found):
            found[-1] = self.shards.num_tokens - (len(found) - 1) * self.rows.max_length
        return found

    def bytes_of(self, rows: Sequence[int]) -> int:
        """UTF-8 bytes of the text those rows ask for."""
        total = 0.0
        for number in rows:
            row = self.rows[number]
            for place, (start, end) in enumerate(zip(row.borders[:-1], row.borders[1:], strict=True)):
                document = self._documents(row)[place]
                size = int(self.shards.offsets[document + 1] - self.shards.offsets[document])
                asked = int((self._labels(number, row)[start:end] != IGNORED).sum())
                total += float(self.shards.num_bytes[document]) * asked / size
        return round(total)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Those rows, padded on the right."""
        found = [self.rows[number] for number in rows]
        width = max(len(row.tokens) for row in found)
        batch = Batch(
            input_ids=_padded([row.tokens for row in found], width, self.pad),
            attention_mask=_padded([np.ones(len(row.tokens)) for row in found], width, 0),
            labels=_padded(
                [self._labels(number, row) for number, row in zip(rows, found, strict=True)], width, IGNORED
            ),
            example_id=torch.tensor(list(rows)),
        )
        batch["position_ids"] = _padded([row.position_ids() for row in found], width, 0)
        batch["segment_ids"] = _padded([row.segments() + 1 for row in found], width, 0)
        return batch

    def _labels(self, number: int, row: Row) -> npt.NDArray[np.int64]:
        start = number * self.rows.max_length
        end = start + len(row.tokens)
        after = self.shards.tokens(start + 1, min(end + 1, self.shards.num_tokens)).astype(np.int64)
        labels = np.concatenate([after, np.full(len(row.tokens) - len(after), IGNORED)])
        ends = start + row.borders[1:]
        labels[row.borders[1:][np.isin(ends, self.shards.offsets)] - 1] = IGNORED
        return labels

    def _documents(self, row: Row) -> list[int]:
        """The numbers of the row's documents; empty ones between them are passed over."""
        found, number = [], row.first_document
        for _ in row.borders[:-1]:
            while self.shards.offsets[number + 1] == self.shards.offsets[number]:
                number += 1
            found.append(number)
            number += 1
        return found


def _padded(rows: Sequence[Any], width: int, pad: int) -> torch.Tensor:
    whole = np.full((len(rows), width), pad, dtype=np.int64)
    for place, row in enumerate(rows):
        whole[place, : len(row)] = row
    return torch.from_numpy(whole)
