"""Gaussian noise from a secret key: the same on every process and in every replay, and nobody else's to know."""

import hashlib
import hmac
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from torch import Tensor

_PAIRS = 2**16  # drawn at a time: what a core's cache holds


def add_noise(to: Mapping[str, Tensor], std: float, key: bytes, divisor: float = 1.0) -> None:
    """Add independent normal noise to float32 tensors, then divide by ``divisor``, in place.

    Each tensor has a stream of its own: AES-256 in counter mode under ``HMAC-SHA256(key, name)``, a cipher whose output
    nobody tells from chance without the key, even who sees most of the noise. Normals are made by Box and Muller's
    formula from 31 and 32 random bits and reach 6.6 standard deviations. The accounting assumes ideal noise; float32 is
    not the real line: see Mironov (2012) on what low-order bits can tell. ``docs/privacy.md`` says so.

    One thread makes 500 million numbers a second; several, with Python's lock between them, made fewer.

    Guarantees:
        - the same noise whatever the device and the number of threads.

    Args:
        to: tensors by name; contiguous.
        std: standard deviation.
        key: at least 16 secret bytes, never used for other noise.
        divisor: what sum and noise are divided by.
    """
    if len(key) < 16:
        raise ValueError(f"a key of {len(key)} bytes; expected 16 at least")
    if std and not 1e-30 < std < 1e30:
        raise ValueError(f"noise of standard deviation {std:g}; expected what float32 holds, 1e-30 to 1e30")
    normals = _Normals(std)
    for name, tensor in to.items():
        stream = hmac.new(key, name.encode(), hashlib.sha256).digest()
        for number, part in enumerate(torch.split(tensor.view(-1), 2 * _PAIRS)):
            noise = normals.draw(part.numel(), stream, number) if std else None
            if part.device.type == "cpu":
                there = part.numpy()
                there += 0.0 if noise is None else noise
                there *= np.float32(1.0 / divisor)
            else:
                part.add_(0.0 if noise is None else torch.from_numpy(noise).to(part.device)).mul_(1.0 / divisor)


class _Normals:
    """Draws blocks of normals into memory of its own, which the next draw overwrites."""

    def __init__(self, std: float) -> None:
        self.std = std
        self.zeros = np.zeros(8 * _PAIRS, np.uint8)
        self.bytes = np.empty(8 * _PAIRS + 16, np.uint8)  # the cipher asks for room for one block more
        self.length, self.noise = np.empty(_PAIRS, np.float32), np.empty(2 * _PAIRS, np.float32)

    def draw(self, count: int, stream: bytes, number: int) -> npt.NDArray[np.float32]:
        """``count`` normals, at most ``2 * _PAIRS``: block ``number`` of the stream."""
        pairs = -(-count // 2)
        counter = (number << 64).to_bytes(16, "big")
        cipher = Cipher(algorithms.AES(stream), modes.CTR(counter)).encryptor()
        cipher.update_into(self.zeros[: 8 * pairs].data, self.bytes.data)
        bits = self.bytes[: 8 * pairs].view(np.uint32)
        chance, angle = bits[:pairs], bits[pairs:].view(np.int32)
        length, first, second = self.length[:pairs], self.noise[:pairs], self.noise[pairs : 2 * pairs]
        chance >>= np.uint32(1)
        np.copyto(length, chance.view(np.int32), casting="unsafe")  # from int32: float32 of uint32 takes twice as long
        length += np.float32(0.5)
        length *= np.float32(2.0**-31)
        np.log(length, out=length)
        length *= np.float32(-2.0)
        np.sqrt(length, out=length)
        length *= np.float32(self.std)
        np.copyto(second, angle, casting="unsafe")
        second *= np.float32(np.pi * 2.0**-31)
        np.cos(second, out=first)
        np.sin(second, out=second)
        first *= length
        second *= length
        return self.noise[:count]


def digest(sums: Mapping[str, Tensor], key: bytes) -> bytes:
    """A keyed fingerprint of tensors, 16 bytes: GMAC, at the speed of memory. Without the key it tells nothing.

    Two different sets of tensors have the same one with a probability of at most their length over 2^128.
    """
    cipher = Cipher(algorithms.AES(hmac.new(key, b"digest", hashlib.sha256).digest()), modes.GCM(bytes(12))).encryptor()
    for name, tensor in sums.items():
        numbers = tensor.detach().cpu().contiguous().numpy().reshape(-1)
        cipher.authenticate_additional_data(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        cipher.authenticate_additional_data(numbers.view(np.uint8).data)
    cipher.finalize()
    return cipher.tag
