"""``Corpus``: the kept documents of all chunks, one number a document, read from disk as they are asked for."""

import json
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.text.prepare.reading import normal_form
from slimlit.text.prepare.workplace import Workplace

Longs = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


class Corpus:
    """All kept documents, numbered through; holds a number a chunk and a few chunks' ends."""

    def __init__(self, workplace: Workplace, sizes: list[int], num_bands: int) -> None:
        self.workplace = workplace
        self.num_bands = num_bands
        self.starts: Numbers = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)
        self._ends = lru_cache(64)(self._read_ends)
        self._lines = lru_cache(64)(self._map_lines)

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def num_chunks(self) -> int:
        """How many chunks there are."""
        return len(self.starts) - 1

    def rows(self, chunk: int) -> slice:
        """The documents of a chunk."""
        return slice(int(self.starts[chunk]), int(self.starts[chunk + 1]))

    def arrays(self, chunk: int) -> dict[str, Any]:
        """What is kept of a chunk's documents: ends of lines, places in the split, samples."""
        with np.load(self.workplace.chunk(chunk, "npz")) as kept:
            return {name: kept[name] for name in ("ends", "places", "sample", "num_samples")}

    def band(self, chunk: int, band: int) -> Longs:
        """The keys of a chunk's documents in one band."""
        count = int(self.starts[chunk + 1] - self.starts[chunk])
        path = self.workplace.chunk(chunk, "bands")
        return np.fromfile(path, dtype=np.uint64, count=count, offset=band * count * 8)

    def lines(self, chunk: int) -> list[bytes]:
        """The lines of a chunk's documents, JSON."""
        ends = self._ends(chunk).tolist()
        content = self.workplace.chunk(chunk, "jsonl").read_bytes()
        return [content[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=False)]

    def text(self, number: int) -> str:
        """One document's text."""
        chunk = int(np.searchsorted(self.starts, number, side="right")) - 1
        ends, row = self._ends(chunk), number - int(self.starts[chunk])
        start = int(ends[row - 1]) if row else 0
        return str(json.loads(self._lines(chunk)[start : int(ends[row])].tobytes())["text"])

    def normal(self, number: int) -> str:
        """One document's text in the form it is compared in."""
        return normal_form(self.text(number))

    def _map_lines(self, chunk: int) -> npt.NDArray[np.uint8]:
        return np.memmap(self.workplace.chunk(chunk, "jsonl"), dtype=np.uint8, mode="r")

    def _read_ends(self, chunk: int) -> Numbers:
        with np.load(self.workplace.chunk(chunk, "npz")) as kept:
            ends: Numbers = kept["ends"]
        return ends
