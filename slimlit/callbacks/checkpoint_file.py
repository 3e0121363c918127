"""``CheckpointFile``: how checkpoints reach the disk: whole or not at all, and only when their metrics have."""

import os
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO


class CheckpointFile(CheckpointIO):
    """Holds one checkpoint until :meth:`write`: Lightning logs a step's metrics after the hook that saves the step.

    What waits shares memory with the weights, so it must be written before the next optimizer step.

    Guarantees:
        - a killed process leaves the old file or the new one, never half of one;
        - files are read as data only (``weights_only``): loading one runs no code.

    Args:
        config: the resolved config of the run, kept in each checkpoint.
    """

    def __init__(self, config: str = "") -> None:
        self.config = config
        self._waiting: tuple[dict[str, Any], Path] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Keep the checkpoint until it can be written."""
        checkpoint["config"] = self.config
        self._waiting = checkpoint, Path(path)

    @property
    def waiting(self) -> bool:
        """Whether a checkpoint waits to be written."""
        return self._waiting is not None

    def write(self) -> None:
        """Write the checkpoint that waits, if one does."""
        if self._waiting is None:
            return
        checkpoint, path = self._waiting
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        try:
            torch.save(checkpoint, unfinished)
            os.replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._waiting = None

    def forget(self) -> None:
        """Drop the checkpoint that waits: a better one follows at once."""
        self._waiting = None

    def load_checkpoint(
        self, path: str | Path, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint to the CPU."""
        try:
            checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except (UnpicklingError, RuntimeError, EOFError) as problem:
            raise ValueError(
                f"{path} is damaged: {str(problem).splitlines()[0]}\nstart the run again: --run NAME"
            ) from problem
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)
