"""``Examples``: a split as columns of tokens, cached by content, that gives any rows as a padded batch."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from slimlit.data.kept_arrays import Array, load_arrays, save_arrays
from slimlit.text.cache import cache_folder
from slimlit.types import Batch

FORMAT = 1
IGNORED = -100  # a place that is asked nothing


@dataclass(frozen=True)
class Column:
    """Numbers of all examples end to end; example ``i`` has those from ``offsets[i]`` to ``offsets[i + 1]``."""

    values: Array
    offsets: npt.NDArray[np.int64]
    pad: int = 0

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | Array], pad: int = 0, dtype: Any = np.int32) -> "Column":
        """The column of those rows."""
        lengths = [len(row) for row in rows]
        flat = np.concatenate([np.asarray(row, dtype=dtype) for row in rows]) if rows else np.zeros(0, dtype)
        return cls(flat, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), pad)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Numbers of each example."""
        return np.diff(self.offsets)

    def rows(self, chosen: Array) -> tuple[torch.Tensor, torch.Tensor]:
        """Those rows, padded on the right to the longest; and where they are real."""
        lengths = self.offsets[chosen + 1] - self.offsets[chosen]
        columns = np.arange(int(lengths.max()) if len(chosen) else 0)
        real = columns[None, :] < lengths[:, None]
        places = np.where(real, self.offsets[chosen][:, None] + columns[None, :], 0)
        padded = np.where(real, self.values[places], self.pad).astype(np.int64)
        return torch.from_numpy(padded), torch.from_numpy(real.astype(np.int64))


@dataclass
class Examples(Dataset[Batch]):
    """A split of tokenised examples; each column is an entry of the batch.

    ``input_ids`` must be there and gives ``attention_mask``; ``decoder_input_ids``, where there, gives its mask too. Columns of
    one length by row are padded alike. An example of row -1 is empty: one padding token that is asked nothing.

    Args:
        columns: by the names of :class:`~slimlit.types.Batch`.
        fingerprint: the hash of all they depend on: texts, tokenizer, settings.
        texts: what each example was made of, in words, for reports and the ledger.
        pairs: the second text of each, where there is one: a translation, a summary, a reply.
        notes: counts to report: what was cut, repaired or left out.
    """

    columns: dict[str, Column]
    fingerprint: str
    texts: Sequence[str] = ()
    pairs: Sequence[str] | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each example that the network reads, on both sides where there is a decoder."""
        lengths = self.columns["input_ids"].lengths
        answers = self.columns.get("decoder_input_ids")
        return lengths if answers is None else lengths + answers.lengths

    @property
    def answer_lengths(self) -> npt.NDArray[np.int64]:
        """Places of each example that may be asked a word: the decoder's, where there is one."""
        return self.columns["decoder_input_ids" if "decoder_input_ids" in self.columns else "input_ids"].lengths

    def __len__(self) -> int:
        return len(self.columns["input_ids"].offsets) - 1

    def __getitem__(self, row: int) -> Batch:
        return self.batch([row])

    def __getitems__(self, rows: list[int]) -> Batch:
        """The whole batch at once: the data loader asks for nothing else."""
        return self.batch(rows)

    def words(self) -> list[int]:
        """The numbers of all tokens that come in the examples, also as answers of a decoder."""
        names = [name for name in ("input_ids", "decoder_input_ids") if name in self.columns]
        found: list[int] = np.unique(np.concatenate([self.columns[name].values for name in names])).tolist()
        return found

    def count(self, token: int) -> int:
        """How often a token comes in the examples, a decoder's too."""
        names = [name for name in ("input_ids", "decoder_input_ids") if name in self.columns]
        return sum(int((self.columns[name].values == token).sum()) for name in names)

    def batch(self, rows: Sequence[int]) -> Batch:
        """Those rows, padded on the right to the longest of them; row -1 is an empty example of one padding token."""
        chosen = np.asarray(rows, dtype=np.int64)
        if (chosen < 0).any():
            return self._filler(len(chosen))
        found: dict[str, torch.Tensor] = {}
        for name, column in self.columns.items():
            found[name], real = column.rows(chosen)
            if name == "input_ids":
                found["attention_mask"] = real
            elif name == "decoder_input_ids":
                found["decoder_attention_mask"] = real
        return cast(Batch, {**found, "example_id": torch.from_numpy(chosen)})

    def _filler(self, size: int) -> Batch:
        ones = torch.ones(size, 1, dtype=torch.int64)
        found = {name: ones * column.pad for name, column in self.columns.items()}
        masks = {"attention_mask": ones}
        masks |= {"decoder_attention_mask": ones} if "decoder_input_ids" in found else {}
        return cast(Batch, {**found, **masks, "example_id": torch.full((size,), -1)})


def cached_columns(
    fingerprint: str, make: Callable[[], tuple[dict[str, Column], dict[str, Any]]], is_kept: bool = True
) -> tuple[dict[str, Column], dict[str, Any]]:
    """The columns and notes kept under a fingerprint in slimlit's cache, memory-mapped; made and kept where they are not.

    Guarantees:
        - what is damaged or half-written is made anew, never used.

    Args:
        fingerprint: the hash of all they depend on.
        make: makes them.
        is_kept: whether they are cached: not where they are read once.
    """
    if not is_kept:
        return make()
    folder = cache_folder() / "examples" / fingerprint
    found = load_arrays(folder)
    if found is None:
        columns, notes = make()
        arrays = {name: column.values for name, column in columns.items()}
        arrays |= {f"{name}.offsets": column.offsets for name, column in columns.items()}
        pads = {name: column.pad for name, column in columns.items()}
        save_arrays(folder, arrays, {"columns": pads, "notes": notes})
        found = load_arrays(folder)
        assert found is not None
    arrays, facts = found
    kept = {name: Column(arrays[name], arrays[f"{name}.offsets"], pad) for name, pad in facts["columns"].items()}
    return kept, facts["notes"]


def hash_all(settings: Any, *columns: Sequence[str] | None) -> str:
    """The hash of settings (as JSON) and columns of texts."""
    digest = hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True, default=str).encode())
    for column in columns:
        for text in column or []:
            encoded = text.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
        digest.update(b"\xff")
    return digest.hexdigest()
