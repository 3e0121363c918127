"""``Clock``: CPU seconds (user and system, all threads) of a job and of its epochs, between the same marks for everyone."""

import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader


class Clock:
    """Begins when networks and tokens are in memory; an epoch is its training steps, fetching included."""

    def __init__(self) -> None:
        self.epochs: list[float] = []
        self._begun = self._wall = self._epoch = 0.0
        self.total = self.wall = self.whole = self.peak_mib = self.before_first_epoch = 0.0

    def begin(self) -> None:
        """Training begins, with whatever it does before its first epoch: a pass of the teacher, say."""
        self._begun, self._wall = time.process_time(), time.perf_counter()

    def begin_epoch(self) -> None:
        """The first batch is about to be fetched."""
        self._epoch = time.process_time()
        if not self.epochs:
            self.before_first_epoch = self._epoch - self._begun

    def end_epoch(self) -> None:
        """The last step is done; the job so far is all that the job takes if no other epoch follows."""
        now = time.process_time()
        self.epochs.append(now - self._epoch)
        self.total, self.wall = now - self._begun, time.perf_counter() - self._wall

    def end(self) -> None:
        """Training has returned: checkpoints and exports, where a contestant writes them, are written."""
        self.whole = time.process_time() - self._begun
        unit = 2**20 if sys.platform == "darwin" else 2**10
        self.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

    def read(self) -> dict[str, Any]:
        """The measurements, in seconds of CPU unless they say otherwise."""
        return {
            "epochs": self.epochs,
            "before_first_epoch": self.before_first_epoch,
            "total": self.total,
            "whole": self.whole,
            "wall": self.wall,
            "peak_mib": self.peak_mib,
        }


class TimedLoader(DataLoader[Any]):
    """A data loader whose every round is an epoch of the clock; for loops that do not fetch ahead."""

    clock: Clock | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        assert self.clock is not None
        self.clock.begin_epoch()
        yield from super().__iter__()
        self.clock.end_epoch()
