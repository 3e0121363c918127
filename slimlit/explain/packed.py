"""Numbers packed for a page: quantised to bytes, deflated, base64; attention maps as fine as a budget of bytes allows."""

import base64
import math
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int8, UInt8

FULL = 127  # of a signed byte
LEVELS = (63, 31, 15)  # of the root of a weight; the eye tells no more than some fifty shades
GROUPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


@dataclass(frozen=True)
class PackedMaps:
    """Attention as base64 of deflated bytes, a byte ``q`` is ``(q / levels) ** 2``, by layer, head, column, row.

    Rows and columns are words, or groups of so many neighbouring words. Column by column, since many heads look at few words
    whoever looks: a tenth less.
    """

    text: str
    levels: int
    group: int


def pack(values: Int8[np.ndarray, "*shape"] | UInt8[np.ndarray, "*shape"]) -> str:
    """Bytes, deflated, as base64."""
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode("ascii")


def unpack(text: str) -> bytes:
    """The bytes behind :func:`pack`."""
    return zlib.decompress(base64.b64decode(text))


def quantise(heat: Float[np.ndarray, " words"]) -> tuple[Int8[np.ndarray, " words"], float]:
    """Signed bytes and the number that 127 stands for, the largest of them; zero stays zero, and no sign is lost but to zero."""
    full = float(np.abs(heat).max(initial=0.0))
    if not full or not math.isfinite(full):
        return np.zeros(heat.shape, dtype=np.int8), 0.0
    return np.rint(heat / full * FULL).astype(np.int8), full


def pack_maps(maps: Float[np.ndarray, "layers heads rows columns"], budget: int) -> PackedMaps | None:
    """The finest packing within a budget of characters; None where none fits.

    Word by word in 63, 31 or 15 levels; else between groups of 2 neighbouring words, and so on.

    Guarantees:
        - the text is never longer than the budget;
        - a weight ``p`` comes back within ``sqrt(p) / levels + 1 / (4 * levels ** 2)``;
        - what a group says of all others sums to one where words do.
    """
    for group in GROUPS:
        weights = maps if group == 1 else _grouped(maps, group)
        for levels in LEVELS:
            bytes_of = np.rint(np.sqrt(np.clip(weights, 0.0, 1.0)) * levels).astype(np.uint8).swapaxes(2, 3)
            quickly = len(zlib.compress(bytes_of[0].tobytes(), 1)) * len(
                bytes_of
            )  # one layer tells that all will not fit
            if quickly > 1.5 * budget:
                continue
            text = pack(bytes_of)
            if len(text) <= budget:
                return PackedMaps(text, levels, group)
    return None


def _grouped(
    maps: Float[np.ndarray, "layers heads rows columns"], size: int
) -> Float[np.ndarray, "layers heads row_groups column_groups"]:
    """How much groups of neighbouring words attend to each other: the mean of those that read, the sum of those that are read."""
    reading, read = (np.eye(-(-length // size))[np.arange(length) // size] for length in (maps.shape[2], maps.shape[3]))
    return np.asarray((reading / reading.sum(axis=0)).T @ maps @ read)
