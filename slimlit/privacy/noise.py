"""Gaussian noise from a secret key: the same on every process and in every replay, and nobody else's to know."""

import hashlib
import hmac
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_BLOCK = 2**16  # pairs of normals drawn at a time: what a core's cache holds


def add_noise(to: Mapping[str, Tensor], std: float, key: bytes) -> None:
    """Add independent normal noise to float32 tensors, in place, the same whatever the number of threads or devices.

    Each tensor has a Philox stream of its own, keyed with 128 bits of ``HMAC-SHA256(key, name)``; normals are made by
    Box and Muller's formula from 31 and 32 random bits and reach 6.6 standard deviations. Philox has passed every
    statistical test there is, yet is no cipher, and float32 noise is not the real line: see Mironov (2012) on what
    low-order bits can tell. The accounting assumes ideal noise; ``docs/privacy.md`` says so.

    Args:
        to: tensors by name; contiguous.
        std: standard deviation.
        key: at least 16 secret bytes, never used for other noise.
    """
    if len(key) < 16:
        raise ValueError(f"a key of {len(key)} bytes; expected 16 at least")
    if std == 0.0:
        return
    jobs: list[tuple[Tensor, int, int, float]] = []
    for name, tensor in to.items():
        stream = int.from_bytes(hmac.new(key, name.encode(), hashlib.sha256).digest()[:16], "big")
        for start in range(0, tensor.numel(), 2 * _BLOCK):
            jobs.append((tensor.view(-1)[start : start + 2 * _BLOCK], stream, start // (2 * _BLOCK), std))
    with ThreadPoolExecutor(max(1, torch.get_num_threads())) as pool:
        list(pool.map(lambda job: _add_block(*job), jobs))


def _add_block(part: Tensor, stream: int, number: int, std: float) -> None:
    count = len(part)
    first, second = normal_pairs(-(-count // 2), stream, number, std)
    noise = np.concatenate([first, second])[:count]
    if part.device.type == "cpu":
        np.add(part.numpy(), noise, out=part.numpy())
    else:
        part.add_(torch.from_numpy(noise).to(part.device))


def normal_pairs(
    count: int, stream: int, number: int, std: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Two arrays of ``count`` independent normals: block ``number`` of the stream."""
    bits = np.random.Philox(key=stream, counter=number << 64).random_raw(count).view(np.uint32)
    radius = (bits[0::2] >> np.uint32(1)).astype(np.float32)
    radius += np.float32(0.5)
    radius *= np.float32(2.0**-31)
    np.log(radius, out=radius)
    radius *= np.float32(-2.0 * std * std)
    np.sqrt(np.maximum(radius, 0.0, out=radius), out=radius)
    angle = bits[1::2].view(np.int32).astype(np.float32)
    angle *= np.float32(np.pi * 2.0**-31)
    first, second = np.cos(angle), np.sin(angle, out=angle)
    first *= radius
    second *= radius
    return first, second
