"""``Stopwatch``: CPU and wall time of each training step, fetching and hooks included."""

import time
from typing import Any

import lightning.pytorch as pl

SKIPPED = 10  # first steps of a run: allocations, lazy imports


class Stopwatch(pl.Callback):
    """CPU and wall seconds between the ends of neighbouring training steps."""

    marks: list[tuple[float, float]] = []  # noqa: RUF012 (the CLI makes the instance: the marks are met through the class)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Mark; between two starts lies one whole step, fetching included."""
        self.mark()

    @classmethod
    def mark(cls) -> None:
        """Read the clocks."""
        cls.marks.append((time.process_time(), time.perf_counter()))

    @classmethod
    def steps(cls) -> list[tuple[float, float]]:
        """CPU and wall milliseconds of each step since the last call, the first ones left out."""
        pairs = list(zip(cls.marks, cls.marks[1:], strict=False))[SKIPPED:]
        cls.marks = []
        return [((after[0] - before[0]) * 1e3, (after[1] - before[1]) * 1e3) for before, after in pairs]
