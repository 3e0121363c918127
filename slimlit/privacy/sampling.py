"""Poisson sampling: each example is in a step or not by a coin of its own, in parts small enough for the machine."""

import hashlib
import hmac
import math
from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import numpy.typing as npt

Rows = list[int]
FILLER = -1  # the row of a batch that has no example: padded with nothing, weighted with zero


class PoissonBatches:
    """Batches of rows for a data loader: ``num_parts`` of them make one step, which takes each unit with ``sample_rate``.

    Whether a unit is in step ``n`` depends on (key, n) alone, so a step repeated after a crash takes the same ones, and
    several processes agree. A step's rows are sorted by length, so that little padding is computed, and dealt out to
    ``num_parts`` batches of like size; a batch without an example holds one :data:`FILLER`. How many rows a step has is
    never corrected: cutting the large ones off would change the odds that the accounting counts on.

    Args:
        lengths: tokens of each example.
        sample_rate: probability of each unit, above 0, at most 1.
        steps_per_epoch: optimizer steps of an epoch.
        num_parts: batches of a step.
        key: secret bytes.
        units: the unit each example belongs to, numbered from 0; each example is its own where not given.
        num_taken: batches taken so far, over all epochs, whenever iteration begins.
        rank: this process.
        num_processes: all processes.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.integer],
        sample_rate: float,
        steps_per_epoch: int,
        num_parts: int,
        key: bytes,
        units: npt.NDArray[np.integer] | None = None,
        num_taken: Callable[[], int] = lambda: 0,
        rank: int = 0,
        num_processes: int = 1,
    ) -> None:
        if not 0.0 < sample_rate <= 1.0:
            raise ValueError(f"the sample rate is {sample_rate}; expected above 0 and at most 1: take smaller batches")
        self.lengths = np.asarray(lengths)
        self.units = np.arange(len(self.lengths)) if units is None else np.asarray(units)
        self.num_units = int(self.units.max()) + 1 if len(self.units) else 0
        self.sample_rate, self.steps_per_epoch, self.num_parts, self.key = sample_rate, steps_per_epoch, num_parts, key
        self.num_taken, self.rank, self.num_processes = num_taken, rank, num_processes

    def __len__(self) -> int:
        return self.steps_per_epoch * self.num_parts

    def __iter__(self) -> Iterator[Rows]:
        step, part = divmod(self.num_taken(), self.num_parts)
        for number in count(step):
            for rows in self.parts(number)[part:]:
                yield rows or [FILLER]
            part = 0

    def drawn(self, step: int) -> npt.NDArray[np.bool_]:
        """Which units are in a step."""
        seed = hmac.new(self.key, f"sample {step}".encode(), hashlib.sha256).digest()[:16]
        random = np.random.Generator(np.random.Philox(key=int.from_bytes(seed, "big")))
        found: npt.NDArray[np.bool_] = random.random(self.num_units) < self.sample_rate
        return found

    def parts(self, step: int) -> list[Rows]:
        """This process's rows of each part of a step; the rows of one unit are never in two parts."""
        drawn = self.drawn(step)
        rows = np.flatnonzero(drawn[self.units])
        longest = np.zeros(self.num_units, dtype=np.int64)
        np.maximum.at(longest, self.units[rows], self.lengths[rows])
        chosen = np.flatnonzero(drawn)
        chosen = chosen[np.argsort(longest[chosen], kind="stable")]
        shares = np.array_split(chosen, self.num_parts)
        if self.num_units == len(self.units):
            place = np.argsort(self.units)
            return [place[share[self.rank :: self.num_processes]].tolist() for share in shares]
        part_of = np.full(self.num_units, -1)
        for number, share in enumerate(shares):
            part_of[share[self.rank :: self.num_processes]] = number
        return [rows[part_of[self.units[rows]] == number].tolist() for number in range(self.num_parts)]


def num_parts_for(expected: float, physical_batch_size: int) -> int:
    """Batches of at most ``physical_batch_size`` that hold a step's examples, but for one step in a billion."""
    return max(1, math.ceil((expected + 6.0 * math.sqrt(expected)) / physical_batch_size))
