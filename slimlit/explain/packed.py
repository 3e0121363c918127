"""Numbers packed for a page: quantised to bytes, deflated, base64; attention maps as fine as a budget of bytes allows."""

import base64
import math
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int8, UInt8

FULL = 127  # of a signed byte


@dataclass(frozen=True)
class PackedMaps:
    """Attention as base64 of deflated bytes: a byte ``q`` is ``(q / levels) ** 2``; one head where they were averaged."""

    text: str
    levels: int
    num_heads: int


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
    """The finest packing within a budget of characters: 255, 63 or 15 levels, then the mean over heads; None where none fits.

    Guarantees:
        - the text is never longer than the budget;
        - a weight ``p`` comes back within ``sqrt(p) / levels + 1 / (4 * levels ** 2)``.
    """
    for weights in (maps, maps.mean(axis=1, keepdims=True)):
        for levels in (255, 63, 15):
            bytes_of = np.rint(np.sqrt(np.clip(weights, 0.0, 1.0)) * levels).astype(np.uint8)
            if len(pack(bytes_of[0])) * len(bytes_of) > 1.5 * budget:  # one layer tells that all will not fit
                continue
            text = pack(bytes_of)
            if len(text) <= budget:
                return PackedMaps(text, levels, weights.shape[1])
    return None
