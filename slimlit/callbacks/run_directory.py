"""``RunDirectory``: writes checkpoints, the finished student and the data report into the run's directory."""

import difflib
import json
import math
import shutil
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from lightning.fabric.utilities.seed import reset_seed
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import distributed

from slimlit.callbacks.checkpoint_file import CheckpointFile
from slimlit.callbacks.ledger import write_ledger
from slimlit.callbacks.metrics_file import MetricsFile
from slimlit.callbacks.random_state import read_random_state, write_random_state
from slimlit.report import write_page
from slimlit.runs import Run, replace_folder, write
from slimlit.tasks.base import Task


@runtime_checkable
class Reporting(Protocol):
    """A data module that says what it read and dropped."""

    report: dict[str, Any]


class RunDirectory(Checkpoint):
    """Keeps ``checkpoints/last.ckpt`` and ``best.ckpt``, and at the end of ``fit`` writes ``student/`` from the best.

    Guarantees:
        - a run that is killed at any step and resumed ends with the weights and metrics of one that was not;
        - random numbers drawn outside training steps (validation, data loading, a cache) never change training.

    Args:
        every_n_steps: optimizer steps between two writes of ``last.ckpt``; it is also written after each epoch.
        monitor: the validation metric that chooses ``best.ckpt``; ``auto`` is the task's own, null keeps the last weights.
        mode: whether the best ``monitor`` is the largest or the smallest; the task says which of its own.
    """

    def __init__(
        self, every_n_steps: int = 500, monitor: str | None = "auto", mode: Literal["max", "min"] = "max"
    ) -> None:
        if every_n_steps < 1:
            raise ValueError(f"checkpoint.every_n_steps is {every_n_steps}; expected 1 or more")
        self.every_n_steps = every_n_steps
        self.monitor = monitor
        self.mode = mode
        self.best: float | None = None
        self.best_step: int | None = None
        self.first_step = 0
        self._saved_step = 0
        self._random_state: dict[str, Any] | None = None
        self._between_epochs = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write what the data module says of the data."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if trainer.is_global_zero and isinstance(data, Reporting):
            text = json.dumps(data.report, indent=2, ensure_ascii=False)
            write(_run(trainer).reports / "data.json", text + "\n")

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Seed anew: whether the data came from a cache must not change the weights that are drawn next."""
        reset_seed()
        if self.monitor == "auto" and isinstance(pl_module, Task):
            self.monitor, self.mode = pl_module.monitor, pl_module.mode

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed anew; begin a new epoch where the checkpoint was one of an epoch's end, which Lightning would end again."""
        if self._random_state is None:
            reset_seed()
        if self._between_epochs:
            trainer.fit_loop.epoch_loop.restarting = False
            self._between_epochs = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoint of the epoch before, now that its metrics are logged."""
        self._write(trainer)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Write the checkpoint that waits and go back to the random state of the step before."""
        if self._random_state is not None:
            self._write(trainer)
            write_random_state(self._random_state)
            self._random_state = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save every ``every_n_steps`` and after the last step; keep the random state where validation may follow."""
        step = trainer.global_step
        due = step % self.every_n_steps == 0 or step == trainer.max_steps or trainer.should_stop
        if due and step != self._saved_step:
            self._save(trainer)
        elif trainer.is_last_batch or trainer.val_check_batch != trainer.num_training_batches:
            self._random_state = read_random_state()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the checkpoint of this step: one taken after validation follows, so that resuming never skips it."""
        if trainer.state.fn == TrainerFn.FITTING:
            _file(trainer).forget()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the best weights, where training is within an epoch the whole state, and refresh the run's page."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        score = self._score(trainer)
        if trainer.sanity_checking:
            return
        if score is not None and self._is_best(score):
            self.best, self.best_step = score, trainer.global_step
            trainer.save_checkpoint(_run(trainer).best, weights_only=True)
            _file(trainer).write()
        if not trainer.is_last_batch:
            self._save(trainer)
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                if isinstance(logger, MetricsFile):
                    logger.save()
            write_page(_run(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save, unless training stopped within the epoch: then the state after its last step is the one to keep."""
        if trainer.is_last_batch:
            self._between_epochs = True
            self._save(trainer)
            self._between_epochs = False

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the checkpoint that waits."""
        self._write(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the student with the best weights."""
        if not isinstance(pl_module, Task):
            return
        run = _run(trainer)
        if self.best is not None:
            checkpoint = torch.load(run.best, map_location="cpu", weights_only=True)
            pl_module.on_load_checkpoint(checkpoint)
            pl_module.load_state_dict(checkpoint["state_dict"])
        if trainer.is_global_zero:
            unfinished = run.folder / "student.unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            pl_module.export_student(unfinished)
            replace_folder(unfinished, run.student)
            write_ledger(trainer, pl_module, run, self.best is not None)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add the random states of all processes; at an epoch's end, count the epoch as done."""
        assert self._random_state is not None
        states = [self._random_state]
        if trainer.world_size > 1:
            states = states * trainer.world_size
            distributed.all_gather_object(states, self._random_state)
        checkpoint["random_states"] = states
        checkpoint["between_epochs"] = self._between_epochs
        if self._between_epochs:
            loops = checkpoint["loops"]["fit_loop"]
            for epochs in (loops["epoch_progress"]["total"], loops["epoch_progress"]["current"]):
                epochs["completed"] = epochs["processed"]
            batches = loops["epoch_loop.batch_progress"]
            batches["current"] = dict.fromkeys(batches["current"], 0)
            batches["is_last_batch"] = False

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take back the random state and drop the metrics of later steps."""
        if trainer.state.fn != TrainerFn.FITTING:
            return
        states = checkpoint["random_states"]
        self._random_state = states[trainer.global_rank] if len(states) == trainer.world_size else None
        self._between_epochs = checkpoint["between_epochs"]
        self.first_step = self._saved_step = checkpoint["global_step"]
        for logger in trainer.loggers:
            if isinstance(logger, MetricsFile):
                logger.keep_before(checkpoint["global_step"])

    def state_dict(self) -> dict[str, Any]:
        """The best score so far."""
        return {"best": self.best, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back the best score so far."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]

    def _save(self, trainer: Trainer) -> None:
        self._saved_step = trainer.global_step
        if self._random_state is None:
            self._random_state = read_random_state()
        trainer.save_checkpoint(_run(trainer).last, weights_only=False)

    def _write(self, trainer: Trainer) -> None:
        if _file(trainer).waiting:
            for logger in trainer.loggers:
                logger.save()
            _file(trainer).write()

    def _is_best(self, score: float) -> bool:
        if math.isnan(score):
            return False
        if self.best is None:
            return True
        return score > self.best if self.mode == "max" else score < self.best

    def _score(self, trainer: Trainer) -> float | None:
        if self.monitor is None:
            return None
        logged = trainer.callback_metrics
        if self.monitor in logged:
            return float(logged[self.monitor])
        names = [name for name in logged if not name.startswith("train/")]
        if trainer.sanity_checking and not names:
            return None
        near = difflib.get_close_matches(self.monitor, names, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"checkpoint.monitor: validation logs no {self.monitor!r}\n"
            f"{hint}it logs: {', '.join(names) or 'nothing; set checkpoint.monitor to null'}"
        )


def _run(trainer: Trainer) -> Run:
    return Run(Path(trainer.default_root_dir))


def _file(trainer: Trainer) -> CheckpointFile:
    file = trainer.strategy.checkpoint_io
    assert isinstance(file, CheckpointFile)
    return file
