"""``MetricsFile``: a logger that keeps every logged number in one CSV file, through crashes and resumes."""

import csv
import io
import os
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

Row = dict[str, Any]


class MetricsFile(Logger):
    """Rows of ``epoch, step, metric...``; empty where a metric was not logged at that step.

    Guarantees:
        - a resumed run continues the file as if it had never stopped;
        - at most the rows of the last ``seconds`` are lost when the process is killed, and none that belong to a
          checkpoint.

    Args:
        path: the CSV file.
        seconds: how long rows may wait in memory.
    """

    def __init__(self, path: Path, seconds: float = 10.0) -> None:
        super().__init__()
        self.path = path
        self.seconds = seconds
        self._columns: list[str] = ["epoch", "step"]
        self._waiting: list[Row] = []
        self._written = 0.0

    @property
    def name(self) -> str:
        """The run's name."""
        return self.path.parent.name

    @property
    def version(self) -> str:
        """Always the same: a run has one metrics file."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the config has a file of its own."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Keep one row."""
        self._waiting.append({**metrics, "step": step})
        if time.monotonic() - self._written > self.seconds:
            self.save()

    @rank_zero_only
    def save(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        fresh = {name: None for row in self._waiting for name in row if name not in self._columns}
        if fresh or not self.path.exists():
            self._rewrite([*self._read(), *self._waiting], [*self._columns, *fresh])
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                file.write(_csv(self._waiting, self._columns))
        self._waiting = []
        self._written = time.monotonic()

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Write what is waiting."""
        self.save()

    @rank_zero_only
    def keep_before(self, step: int) -> None:
        """Drop the rows of ``step`` and later, which a resumed run logs anew."""
        rows = [row for row in self._read() if row["step"] and int(row["step"]) < step]
        self._waiting = []
        self._rewrite(rows, list(rows[0]) if rows else self._columns)

    def _read(self) -> list[Row]:
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]  # a killed process may leave half a line
        return list(csv.DictReader(io.StringIO(whole, newline="")))

    def _rewrite(self, rows: list[Row], columns: list[str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text(",".join(columns) + "\n" + _csv(rows, columns), encoding="utf-8", newline="")
        os.replace(unfinished, self.path)
        self._columns = columns


def _csv(rows: list[Row], columns: list[str]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, restval="", lineterminator="\n").writerows(rows)
    return text.getvalue()
