"""Clusters of near-duplicates: candidates out of MinHash bands, each verified on its exact n-grams; the first stays."""

import io
import json
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.text.prepare.corpus import Corpus, Longs, Numbers
from slimlit.text.prepare.near_duplicates import NearDuplicates
from slimlit.text.prepare.sketches import grams, num_common
from slimlit.text.prepare.workplace import Workplace, write_bytes

_KEYS_AT_ONCE = 1 << 24  # of a band, held in memory; each takes 32 bytes while it is sorted
_GRAMS_HELD = 1 << 26  # bytes of n-grams kept for the next comparison
_MOST_REPRESENTATIVES = 8  # of one bucket that a newcomer is compared with
_NUM_SAMPLES = 5
_SHOWN = 200


class Clusters:
    """Union-find over documents; a cluster is named by its first document. Holds 8 bytes a document."""

    def __init__(self, parents: Numbers) -> None:
        self.parents = parents

    def find(self, number: int) -> int:
        """The first document of the cluster."""
        parents = self.parents
        while (parent := int(parents[number])) != number:
            parents[number] = parents[parent]
            number = parent
        return number

    def join(self, one: int, other: int) -> None:
        """Make one cluster of two."""
        first, second = sorted((self.find(one), self.find(other)))
        self.parents[second] = first

    def firsts(self) -> Numbers:
        """For each document the first of its cluster."""
        parents = self.parents
        while True:
            above = parents[parents]
            if np.array_equal(above, parents):
                return parents
            parents = above


def find_duplicates(corpus: Corpus, like: NearDuplicates, workplace: Workplace) -> dict[str, Any]:
    """Cluster the documents; the parents are kept in the workplace after each band, so that a killed run goes on there.

    Guarantees:
        - two documents are joined only if their n-grams have that Jaccard similarity, or they are the same in the form
          they are compared in;
        - the result does not depend on where the run was stopped.
    """
    kept = workplace.folder / "clusters.npz"
    report: dict[str, Any] = {
        "compared": 0,
        "joined": 0,
        "the same but for case, punctuation and spacing": 0,
        "samples": [],
    }
    parents, band_done = np.arange(len(corpus), dtype=np.int64), 0
    if kept.is_file():
        with np.load(kept, allow_pickle=False) as saved:
            parents, band_done = saved["parents"], int(saved["band"])
            report = json.loads(str(saved["report"]))
    clusters = Clusters(parents)
    verifier = _Verifier(corpus, like)
    for band in tqdm(range(band_done, like.num_bands), desc="near-duplicates", unit="band", disable=None):
        for bucket in _buckets(corpus, band):
            _cluster(bucket, clusters, verifier, report)
        buffer = io.BytesIO()
        np.savez(buffer, parents=clusters.parents, band=band + 1, report=json.dumps(report))
        write_bytes(kept, buffer.getvalue())
    firsts = clusters.firsts()
    sizes = np.bincount(firsts, minlength=len(corpus)) if len(corpus) else np.zeros(0, dtype=np.int64)
    report["clusters"] = int(np.count_nonzero(sizes > 1))
    report["documents in the largest"] = int(sizes.max(initial=0))
    report["dropped"] = len(corpus) - int(np.count_nonzero(sizes))
    return report


def kept_documents(workplace: Workplace, corpus: Corpus) -> Numbers:
    """For each document the first of its cluster: itself, where it stays."""
    kept = workplace.folder / "clusters.npz"
    if not kept.is_file():
        return np.arange(len(corpus), dtype=np.int64)
    with np.load(kept) as saved:
        return Clusters(saved["parents"]).firsts()


def _cluster(bucket: list[int], clusters: Clusters, verifier: "_Verifier", report: dict[str, Any]) -> None:
    """Join the documents of a bucket that are alike: each is compared with those before it that were not."""
    heads = [bucket[0]]
    for number in bucket[1:]:
        root = clusters.find(number)
        if any(clusters.find(head) == root for head in heads):
            continue
        for head in heads:
            similarity = verifier.similarity(head, number)
            report["compared"] += 1
            if similarity >= verifier.threshold:
                clusters.join(head, number)
                report["joined"] += 1
                report["the same but for case, punctuation and spacing"] += similarity == 1.0
                if len(report["samples"]) < _NUM_SAMPLES:
                    report["samples"].append(verifier.sample(head, number, similarity))
                break
        else:
            if len(heads) < _MOST_REPRESENTATIVES:
                heads.append(number)


def _buckets(corpus: Corpus, band: int) -> Iterator[list[int]]:
    """The documents that meet in a band, in order; the keys are sorted in parts that fit into memory."""
    num_parts = 1 << max(0, (len(corpus) // _KEYS_AT_ONCE).bit_length())
    for part in range(num_parts):
        found: list[Longs] = []
        numbers: list[Numbers] = []
        for chunk in range(corpus.num_chunks):
            keys = corpus.band(chunk, band)
            inside = np.flatnonzero((keys & np.uint64(num_parts - 1)) == part)
            found.append(keys[inside])
            numbers.append(inside + corpus.starts[chunk])
        if not found:
            return
        keys, number = np.concatenate(found), np.concatenate(numbers)
        order = np.argsort(keys, kind="stable")
        keys, number = keys[order], number[order]
        edges = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]]))
        several = np.flatnonzero(np.diff(edges) > 1)
        for start, end in zip(edges[several].tolist(), edges[several + 1].tolist(), strict=True):
            yield number[start:end].tolist()


class _Verifier:
    """The exact Jaccard similarity of two documents; n-grams of those asked for lately are kept."""

    def __init__(self, corpus: Corpus, like: NearDuplicates) -> None:
        self.corpus, self.size, self.threshold = corpus, like.num_characters, like.threshold
        self._held: OrderedDict[int, Longs] = OrderedDict()
        self._bytes = 0

    def similarity(self, one: int, other: int) -> float:
        """The Jaccard similarity of the documents' sets of n-grams."""
        first, second = self._grams(one), self._grams(other)
        if min(len(first), len(second)) < self.threshold * max(len(first), len(second)):
            return 0.0  # below the threshold whatever they share
        common = num_common(first, second)
        return common / (len(first) + len(second) - common)

    def sample(self, one: int, other: int, similarity: float) -> dict[str, Any]:
        """A pair to show."""
        texts = [self.corpus.text(number)[:_SHOWN] for number in (one, other)]
        return {"similarity": round(similarity, 4), "kept": texts[0], "dropped": texts[1]}

    def _grams(self, number: int) -> Longs:
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        found = grams(self.corpus.normal(number), self.size)
        self._held[number] = found
        self._bytes += found.nbytes
        while self._bytes > _GRAMS_HELD and len(self._held) > 2:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return found
