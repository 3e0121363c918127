"""``Shuffle``: an order of any number of examples that is computed, not stored, and ``batch_rows``, the rows of one batch in it."""

import hashlib

import numpy as np
import numpy.typing as npt

from slimlit.text.tokens.shards import Integers

_ROUNDS = 8
Words = npt.NDArray[np.uint64]


class Shuffle:
    """A permutation of ``range(num_examples)`` drawn by (seed, epoch), any place of which is found at once.

    A Feistel network over the next power of four, followed until it lands within range: no array of the data set's size
    is made, so a billion examples are shuffled in the time of one.

    Guarantees:
        - every example comes once;
        - the same (num_examples, seed, epoch) give the same order, on every machine and in every process.

    Args:
        num_examples: how many there are.
        seed: of the order.
        epoch: each has another order.
    """

    def __init__(self, num_examples: int, seed: int = 0, epoch: int = 0) -> None:
        self.num_examples = num_examples
        self._half = max(1, (max(num_examples - 1, 1).bit_length() + 1) // 2)
        key = hashlib.sha256(f"slimlit shuffle {seed} {epoch}".encode()).digest() * 2
        self._keys = [np.uint64(int.from_bytes(key[4 * at : 4 * at + 8], "little")) for at in range(_ROUNDS)]

    def __len__(self) -> int:
        return self.num_examples

    def __call__(self, places: Integers) -> Integers:
        """The examples at those places of the order."""
        places = np.asarray(places, dtype=np.int64)
        if len(places) and not (places.min() >= 0 and places.max() < self.num_examples):
            raise IndexError(f"places {places.min()} to {places.max()} of {self.num_examples}")
        found = self._step(places.astype(np.uint64))
        while (outside := found >= self.num_examples).any():
            found[outside] = self._step(found[outside])
        return found.astype(np.int64)

    def _step(self, values: Words) -> Words:
        half, mask = np.uint64(self._half), np.uint64((1 << self._half) - 1)
        left, right = values >> half, values & mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return (left << half) | right


def _mixed(values: Words) -> Words:
    """A good hash of 64 bits (splitmix64; Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def num_batches(num_examples: int, batch_size: int, num_processes: int = 1) -> int:
    """Batches of an epoch; a rest too small to give every process an example joins the batch before it.

    Raises:
        ValueError: more processes than examples of a batch.
    """
    if min(batch_size, num_examples or batch_size) < num_processes:
        raise ValueError(
            f"batches of {batch_size} of {num_examples} examples are shared by {num_processes} processes\n"
            "expected at least one example for each process: set a larger batch size, or fewer devices"
        )
    full, rest = divmod(num_examples, batch_size)
    return full + (rest >= num_processes or (rest > 0 and full == 0))


def batch_rows(
    num_examples: int, batch_size: int, position: int, rank: int = 0, num_processes: int = 1, seed: int = 0
) -> Integers:
    """The examples that process ``rank`` takes of batch number ``position``, counted over all epochs.

    Whoever is asked, and in whatever order, the answer is the same: workers and resumed runs need no state but the
    position.

    Guarantees:
        - in each epoch every example is in one batch, and taken by one process;
        - the processes' rows together are the rows of one process alone, in turn.
    """
    each = num_batches(num_examples, batch_size, num_processes)
    if not each:
        return np.zeros(0, np.int64)
    epoch, number = divmod(position, each)
    end = num_examples if number == each - 1 else (number + 1) * batch_size
    return Shuffle(num_examples, seed, epoch)(np.arange(number * batch_size + rank, end, num_processes))
