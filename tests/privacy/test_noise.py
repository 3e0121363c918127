"""The noise is normal, of the scale asked for, independent, and decided by its key alone."""

import hmac

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scipy import stats

from slimlit.privacy.noise import add_noise

KEY = bytes(range(32))


def noise(size: int, key: bytes = KEY, name: str = "weight", std: float = 1.0) -> torch.Tensor:
    drawn = torch.zeros(size)
    add_noise({name: drawn}, std, key)
    return drawn


def test_it_is_normal_to_the_tails() -> None:
    drawn = noise(2_000_001, std=3.0).numpy() / 3.0
    assert stats.kstest(drawn, "norm").pvalue > 1e-4
    for tail in (2.0, 3.0, 4.0):
        expected = 2 * stats.norm.sf(tail) * len(drawn)
        assert abs((np.abs(drawn) > tail).sum() - expected) < 4.5 * expected**0.5
    assert np.abs(drawn).max() > 4.7


def test_neighbours_pairs_blocks_and_names_are_independent() -> None:
    drawn = noise(2**18)
    half = 2**17
    for first, second in [
        (drawn[:-1], drawn[1:]),
        (drawn[: half // 2], drawn[half // 2 : half]),  # the two of one pair
        (drawn[:half], drawn[half:]),  # two blocks
        (drawn, noise(2**18, name="bias")),
        (drawn, noise(2**18, key=KEY[::-1])),
        (drawn.square()[: half // 2], drawn.square()[half // 2 : half]),
    ]:
        assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 5 / len(first) ** 0.5


def test_the_key_decides_and_threads_do_not() -> None:
    before = torch.get_num_threads()
    one = noise(300_000)
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        assert torch.equal(noise(300_000), one)
    finally:
        torch.set_num_threads(before)
    assert not torch.equal(noise(300_000, key=bytes(32)), one)
    assert torch.allclose(noise(10, std=2.0), noise(10) * 2)


def test_sum_and_noise_are_divided() -> None:
    weights = torch.full((15,), 7.0)
    add_noise({"weight": weights}, 2.0, KEY, divisor=4.0)
    assert torch.allclose(weights, (7.0 + noise(15, std=2.0)) / 4.0)
    sums = torch.full((15,), 7.0)
    add_noise({"weight": sums}, 0.0, KEY, divisor=7.0)
    assert torch.equal(sums, torch.ones(15))


def test_the_bits_are_those_of_the_cipher() -> None:
    """Normals are made of AES-256 in counter mode, as anyone can do again: one key, one name, the first pair."""
    stream = hmac.new(KEY, b"weight", "sha256").digest()
    cipher = Cipher(algorithms.AES(stream), modes.CTR(bytes(16))).encryptor()
    first, second = np.frombuffer(cipher.update(bytes(8)), np.uint32)
    radius = np.sqrt(-2 * np.log((float(first >> 1) + 0.5) / 2**31))
    angle = np.pi * float(second.view(np.int32)) / 2**31
    assert np.allclose(noise(2), [radius * np.cos(angle), radius * np.sin(angle)], atol=1e-5)


def test_it_is_added_and_a_short_key_is_refused() -> None:
    weights = torch.full((3, 5), 7.0)
    add_noise({"weight": weights}, 1.0, KEY)
    assert torch.allclose(weights - 7.0, noise(15).view(3, 5), atol=1e-6)
    with pytest.raises(ValueError, match="4 bytes"):
        add_noise({"weight": weights}, 1.0, b"abcd")
