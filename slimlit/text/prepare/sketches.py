"""Sketches of documents: MinHash bands that meet where two are alike, and a sample that tells what one holds of another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from slimlit.text.prepare.near_duplicates import NUM_BINS

Words = npt.NDArray[np.uint32]
Longs = npt.NDArray[np.uint64]
Unsigned = npt.NDArray[np.unsignedinteger]

SAMPLE_EVERY = 32  # one n-gram in that many is in a document's sample
_WINDOW = 1 << 15  # characters hashed at once: the buffers stay in the processor's second cache
_BATCH = 1024  # texts sketched at once
_EMPTY = np.uint32(0xFFFFFFFF)
_MIX_32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1, 0x2C1B3C6D, 0x297A2D39)
_MIX_64 = (
    0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F, 0xFF51AFD7ED558CCD,
    0xC4CEB9FE1A85EC53,
)  # fmt: skip


@dataclass(frozen=True)
class Sketches:
    """Of some documents: for each band one key a document, and their samples one after another."""

    bands: Longs  # (bands, documents)
    sample: Words
    num_samples: npt.NDArray[np.int32]


def sketch(texts: Sequence[str], size: int, num_bands: int, num_rows: int) -> Sketches:
    """MinHash bands and samples of the texts' character n-grams, of ``size`` characters.

    One permutation, ``NUM_BINS`` bins: a hash's upper bits choose the bin, the least in each bin is kept, an empty bin
    borrows from another that its own number chooses. Two texts of Jaccard J meet in at least one band with probability
    ``1 - (1 - J ** num_rows) ** num_bands``: 0.998 for J = 0.8 with 21 bands of 6 rows.

    Guarantees:
        - a text's sketch is the same whatever texts it is sketched with.

    Source: Li, Owen, Zhang 2012, One Permutation Hashing; Shrivastava 2017, Optimal Densification, arXiv:1703.04664;
    the sample: Irber et al. 2022, FracMinHash.
    """
    assert num_bands * num_rows <= NUM_BINS
    bands, samples, nums = [], [], []
    for start in range(0, len(texts), _BATCH):
        signatures, sample, num = _sketch(texts[start : start + _BATCH], size)
        bands.append(_band_keys(signatures, num_bands, num_rows))
        samples.append(sample)
        nums.append(num)
    return Sketches(
        np.concatenate([np.zeros((num_bands, 0), dtype=np.uint64), *bands], axis=1),
        np.concatenate([np.zeros(0, dtype=np.uint32), *samples]),
        np.concatenate([np.zeros(0, dtype=np.int32), *nums]),
    )


def _sketch(texts: Sequence[str], size: int) -> tuple[Words, Words, npt.NDArray[np.int32]]:
    """The least hash in each bin of each text, the texts' samples, and how many each has."""
    least = np.full((len(texts) + 1, NUM_BINS), _EMPTY, dtype=np.uint32)  # the last row holds what belongs to no text
    samples: list[Words] = []
    owners: list[npt.NDArray[np.int64]] = []
    codes, lengths = _codes(texts, size)
    ends = np.cumsum(lengths)
    buffers = np.empty((3, _WINDOW + size), dtype=np.uint32)
    for start in range(0, len(codes) - size + 1, _WINDOW):
        hashes = _hashes(codes[start : start + _WINDOW + size - 1], size, buffers)
        stop = start + len(hashes)
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(ends, stop, side="left"))
        inside = np.minimum(ends[first : last + 1], stop)
        rows = np.repeat(np.arange(first, last + 1), np.diff(inside, prepend=start))
        for end in (ends[first : last + 1] - start).tolist():  # n-grams that would run into the next text
            rows[max(0, end - size + 1) : end] = len(texts)
        np.minimum.at(least.reshape(-1), rows * NUM_BINS + (hashes >> np.uint32(25)), hashes & np.uint32(0x1FFFFFF))
        chosen = np.flatnonzero((hashes & np.uint32(SAMPLE_EVERY - 1)) == 0)
        chosen = chosen[rows[chosen] < len(texts)]
        samples.append(hashes[chosen])
        owners.append(rows[chosen])
    num_samples = np.bincount(np.concatenate(owners), minlength=len(texts))
    return _fill(least[:-1]), np.concatenate(samples), num_samples.astype(np.int32)


def grams(text: str, size: int) -> Longs:
    """The text's character n-grams as sorted 64-bit hashes, each once; a shorter text is one n-gram."""
    codes, _ = _codes([text], size)
    hashes = _hashes(codes, size, np.empty((3, len(codes)), dtype=np.uint64))
    hashes.sort()
    once: Longs = hashes[np.concatenate([[True], hashes[1:] != hashes[:-1]])]
    return once


def num_common(one: Longs, other: Longs) -> int:
    """How many values two sorted arrays share, where each has every value once."""
    both = np.concatenate([one, other])
    both.sort(kind="stable")  # two sorted runs are merged
    return int(np.count_nonzero(both[1:] == both[:-1]))


def _codes(texts: Sequence[str], size: int) -> tuple[Unsigned, npt.NDArray[np.int64]]:
    """The texts' characters as numbers, one text after another; short ones are filled up to one n-gram."""
    full = [text if len(text) >= size else text.ljust(size, "\0") for text in texts]
    lengths = np.fromiter(map(len, full), dtype=np.int64, count=len(full))
    joined = "".join(full)
    if joined.isascii():
        return np.frombuffer(joined.encode(), dtype=np.uint8), lengths
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32), lengths


def _hashes(codes: Unsigned, size: int, buffers: Unsigned) -> Unsigned:
    """A hash of each n-gram, of the buffers' width: those of 1, 2, 4, 8 ... characters, each made of two halves, put together."""
    kind = buffers.dtype.type
    mixes = [kind(number) for number in (_MIX_32 if kind is np.uint32 else _MIX_64)]
    power, other, total = buffers[:, : len(codes)]
    power[:] = codes
    num, width, done, left = len(codes), 1, 0, size
    while left:
        if left & 1:
            count = num - done - width + 1
            if done:  # total covers ``done`` characters; the next ``width`` follow
                np.multiply(total[:count], mixes[0], out=total[:count])
                np.add(total[:count], power[done : done + count], out=total[:count])
            else:
                total[:count] = power[:count]
            done += width
        left >>= 1
        if left:
            count = num - 2 * width + 1
            np.multiply(power[:count], mixes[1 + width.bit_length() % 4], out=other[:count])
            np.add(other[:count], power[width : width + count], out=other[:count])
            power, other = other, power
            width *= 2
    hashes: Unsigned = total[: num - size + 1]
    scratch = other[: len(hashes)]
    for shift, mix in ((15, mixes[5]), (12, mixes[6])):  # every bit of the hash depends on all of the sum
        np.right_shift(hashes, kind(shift), out=scratch)
        np.bitwise_xor(hashes, scratch, out=hashes)
        np.multiply(hashes, mix, out=hashes)
    np.right_shift(hashes, kind(15), out=scratch)
    np.bitwise_xor(hashes, scratch, out=hashes)
    return hashes


def _fill(least: Words) -> Words:
    """Each empty bin takes the value of the first full bin in an order of its own, the same for all texts."""
    is_empty = least == _EMPTY
    rows, bins = np.nonzero(is_empty)
    filled = least.copy()
    attempt = 0
    while len(rows):
        attempt += 1
        donors = _donors(attempt)[bins]
        full = ~is_empty[rows, donors]
        filled[rows[full], bins[full]] = least[rows[full], donors[full]]
        rows, bins = rows[~full], bins[~full]
    return filled


@cache
def _donors(attempt: int) -> npt.NDArray[np.intp]:
    """From which bin each bin borrows at that attempt."""
    keys = np.arange(NUM_BINS, dtype=np.uint32) + np.uint32(attempt * NUM_BINS)
    for mix in _MIX_32[:3]:
        keys = (keys ^ (keys >> np.uint32(16))) * np.uint32(mix)
    return (keys >> np.uint32(25)).astype(np.intp)


def _band_keys(signatures: Words, num_bands: int, num_rows: int) -> Longs:
    """One 64-bit key a band: a hash of its rows."""
    keys = np.zeros((num_bands, len(signatures)), dtype=np.uint64)
    for band in range(num_bands):
        key = keys[band]
        key += np.uint64(band + 1)
        for row in range(num_rows):
            key ^= key >> np.uint64(31)
            key *= np.uint64(0x9E3779B97F4A7C15)
            key += signatures[:, band * num_rows + row]
        key ^= key >> np.uint64(29)
        key *= np.uint64(0xBF58476D1CE4E5B9)
        key ^= key >> np.uint64(32)
    return keys
