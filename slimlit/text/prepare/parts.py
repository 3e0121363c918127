"""Deal the kept documents out to train and the held-out parts, take from these what stands in training, and write all."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.text.compression import create_bytes
from slimlit.text.prepare.corpus import Corpus, Numbers
from slimlit.text.prepare.sketches import grams, num_common
from slimlit.text.prepare.workplace import Workplace

TRAIN = 0
DROPPED = 255
_NUM_SAMPLES = 5
_SHOWN = 200
Parts = npt.NDArray[np.uint8]


def deal(corpus: Corpus, firsts: Numbers, shares: dict[str, float]) -> Parts:
    """The part of each document: 0 train, then the held-out ones in their order; 255 where it is dropped.

    A hash of the text decides, keyed by the seed, so texts that are the same but for case and spacing fall on one side,
    and a document falls where it falls whatever else is in the corpus.
    """
    bounds = np.cumsum(list(shares.values()), dtype=np.float64)
    parts = np.full(len(corpus), DROPPED, dtype=np.uint8)
    for chunk in range(corpus.num_chunks):
        rows = corpus.rows(chunk)
        places = corpus.arrays(chunk)["places"].astype(np.float64) / 2.0**64
        held = np.searchsorted(bounds, places, side="right")
        dealt = np.where(held == len(bounds), TRAIN, held + 1)
        parts[rows] = np.where(firsts[rows] == np.arange(rows.start, rows.stop), dealt, DROPPED)
    return parts


def decontaminate(corpus: Corpus, parts: Parts, size: int, most: float) -> dict[str, Any]:
    """Drop from ``parts`` each held-out document of which a document in an earlier part holds ``most`` of the n-grams or more.

    Earlier is training, and for a later held-out part those before it too. Candidates come from the samples of n-grams,
    and the n-grams themselves decide. Holds the samples of the held-out documents in memory, 12 bytes for each 32
    characters.
    """
    report: dict[str, Any] = {"dropped": 0, "compared": 0, "samples": []}
    values, owners, held, sizes = _held_out(corpus, parts)
    contaminated: dict[int, tuple[int, float]] = {}
    for chunk in tqdm(range(corpus.num_chunks), desc="decontaminating", unit="chunk", disable=None):
        arrays, rows = corpus.arrays(chunk), corpus.rows(chunk)
        counts = arrays["num_samples"].astype(np.int64)
        of = np.repeat(np.arange(len(counts)), counts)
        low, high = (np.searchsorted(values, arrays["sample"], side=side) for side in ("left", "right"))
        times = high - low
        hits = np.repeat(low, times) + _within(times)
        pairs, found = np.unique(np.repeat(of, times) * max(1, len(held)) + owners[hits], return_counts=True)
        for pair, shared in zip(pairs.tolist(), found.tolist(), strict=True):
            row, owner = divmod(pair, len(held))
            number, target = rows.start + row, int(held[owner])
            earlier = parts[number] != DROPPED and parts[number] < parts[target]
            if not earlier or shared < 0.5 * most * sizes[owner] or target in contaminated:
                continue
            wanted = grams(corpus.normal(target), size)
            share = num_common(wanted, grams(corpus.normal(number), size)) / len(wanted)
            report["compared"] += 1
            if share >= most:
                contaminated[target] = (number, share)
    for target, (number, share) in sorted(contaminated.items()):
        parts[target] = DROPPED
        if len(report["samples"]) < _NUM_SAMPLES:
            texts = {"held out": corpus.text(target)[:_SHOWN], "stands in": corpus.text(number)[:_SHOWN]}
            report["samples"].append({"share": round(share, 4), **texts})
    report["dropped"] = len(contaminated)
    return report


def write_parts(
    corpus: Corpus, parts: Parts, names: list[str], workplace: Workplace, ending: str, shard_bytes: int
) -> dict[str, Any]:
    """Write each part as shards of JSON lines, in the order the documents were read; returns counts and hashes.

    Args:
        corpus: the documents.
        parts: the part of each.
        names: the parts' names, train first.
        workplace: where the result is made.
        ending: ``.jsonl``, or with the ending of a compression.
        shard_bytes: a shard is full when it has as many, before compression.
    """
    shutil.rmtree(workplace.result, ignore_errors=True)
    report: dict[str, Any] = {"parts": {}, "files": {}}
    for part, name in enumerate(names):
        counts: Counter[str] = Counter()
        folder = workplace.result / name
        folder.mkdir(parents=True)
        num_shards = 1
        shard = _Shard(folder / f"part-00000{ending}")
        for line in _lines_of(corpus, parts, part, name):
            if shard.size >= shard_bytes:
                report["files"][f"{name}/{shard.path.name}"] = shard.close()
                shard = _Shard(folder / f"part-{num_shards:05d}{ending}")
                num_shards += 1
            shard.write(line)
            counts["documents"] += 1
            counts["bytes"] += len(line)
        report["files"][f"{name}/{shard.path.name}"] = shard.close()
        report["parts"][name] = {"documents": counts["documents"], "bytes": counts["bytes"]}
    return report


class _Shard:
    """A file being written."""

    def __init__(self, path: Path) -> None:
        self.path, self.size, self.documents = path, 0, 0
        self._file = create_bytes(path)

    def write(self, line: bytes) -> None:
        self._file.write(line)
        self.size += len(line)
        self.documents += 1

    def close(self) -> dict[str, Any]:
        self._file.close()
        return {"documents": self.documents, **hash_of(self.path)}


def hash_of(path: Path) -> dict[str, Any]:
    """A file's size and hash."""
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _lines_of(corpus: Corpus, parts: Parts, part: int, name: str) -> Iterator[bytes]:
    for chunk in tqdm(range(corpus.num_chunks), desc=f"writing {name}", unit="chunk", disable=None):
        rows = np.flatnonzero(parts[corpus.rows(chunk)] == part)
        if len(rows):
            lines = corpus.lines(chunk)
            yield from (lines[row] for row in rows.tolist())


def _held_out(corpus: Corpus, parts: Parts) -> tuple[npt.NDArray[np.uint32], Numbers, Numbers, npt.NDArray[np.int32]]:
    """The held-out documents' samples, sorted, with whose each is; the documents, and the sizes of their samples."""
    values, owners, held, sizes = [], [], [], []
    num_held = 0
    for chunk in range(corpus.num_chunks):
        arrays, rows = corpus.arrays(chunk), corpus.rows(chunk)
        mine = parts[rows]
        chosen = np.flatnonzero((mine != TRAIN) & (mine != DROPPED))
        counts = arrays["num_samples"]
        inside = np.repeat((mine != TRAIN) & (mine != DROPPED), counts)
        values.append(arrays["sample"][inside])
        owners.append(np.repeat(np.arange(num_held, num_held + len(chosen)), counts[chosen]))
        held.append(chosen + rows.start)
        sizes.append(counts[chosen])
        num_held += len(chosen)
    if not values:
        empty = np.zeros(0, dtype=np.int64)
        return empty.astype(np.uint32), empty, empty, empty.astype(np.int32)
    value, owner = np.concatenate(values), np.concatenate(owners)
    order = np.argsort(value, kind="stable")
    return value[order], owner[order], np.concatenate(held), np.concatenate(sizes)


def _within(times: npt.NDArray[np.integer]) -> Numbers:
    """0, 1, ... below each number, one after another."""
    ends = np.cumsum(times)
    places: Numbers = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - times, times)
    return places
