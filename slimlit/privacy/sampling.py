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
        examples_per_unit: the most examples of one unit in one step, drawn anew each time; all where not given.
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
        examples_per_unit: int | None = None,
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
        self.examples_per_unit = examples_per_unit
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
        found: npt.NDArray[np.bool_] = self._random("sample", step).random(self.num_units) < self.sample_rate
        return found

    def parts(self, step: int) -> list[Rows]:
        """This process's rows of each part of a step; the rows of one unit are never in two parts."""
        rows = np.flatnonzero(self.drawn(step)[self.units])
        if self.examples_per_unit is not None:
            rows = self._some(rows, self.examples_per_unit, step)
        units, place = np.unique(self.units[rows], return_inverse=True)
        longest = np.zeros(len(units), dtype=np.int64)
        np.maximum.at(longest, place, self.lengths[rows])
        part_of = np.full(len(units), -1)
        for number, share in enumerate(np.array_split(np.argsort(longest, kind="stable"), self.num_parts)):
            part_of[share[self.rank :: self.num_processes]] = number
        in_order = np.argsort(longest[place], kind="stable")
        return [rows[in_order][part_of[place[in_order]] == number].tolist() for number in range(self.num_parts)]

    def _some(self, rows: npt.NDArray[np.intp], most: int, step: int) -> npt.NDArray[np.intp]:
        """At most ``most`` rows of each unit, drawn evenly."""
        order = np.lexsort((self._random("examples", step).random(len(rows)), self.units[rows]))
        first = np.unique(self.units[rows][order], return_index=True)[1]
        number = np.arange(len(rows)) - np.repeat(first, np.diff([*first, len(rows)]))
        return np.sort(rows[order[number < most]])

    def _random(self, purpose: str, step: int) -> np.random.Generator:
        seed = hmac.new(self.key, f"{purpose} {step}".encode(), hashlib.sha256).digest()[:16]
        return np.random.Generator(np.random.Philox(key=int.from_bytes(seed, "big")))


def num_parts_for(expected: float, physical_batch_size: int) -> int:
    """Batches of at most ``physical_batch_size`` that hold a step's examples, but for one step in a billion."""
    return max(1, math.ceil((expected + 6.0 * math.sqrt(expected)) / physical_batch_size))
