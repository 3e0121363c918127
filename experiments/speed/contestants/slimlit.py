"""slimlit as a user runs it: its command on configs/distil.yaml, with W&B, checkpoints, reports and teacher cache.

It validates nothing here, because nobody else does; the run's directory is written all the same.
"""

import tempfile
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import yaml
from transformers import PreTrainedModel

from experiments.speed.clock import Clock
from experiments.speed.command import command
from experiments.speed.job import Job


class Watch(pl.Callback):
    """Tells the clock of epochs; the command makes it, so clock and student are met through the class."""

    clock = Clock()
    student: PreTrainedModel

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Begin: networks and tokens are in memory, the teacher has not run yet."""
        self.clock.begin()

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Begin an epoch, once the checkpoint of the one before is written."""
        if batch_idx == 0:
            self.clock.begin_epoch()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """End it; the checkpoint is written after."""
        self.clock.end_epoch()

    def teardown(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """All is written."""
        self.clock.end()
        type(self).student = pl_module.student


def train(job: Job, clock: Clock) -> PreTrainedModel:
    """Run the command in this process."""
    from slimlit.cli import run

    Watch.clock = clock
    with tempfile.TemporaryDirectory() as folder:
        teacher_cache = {"class_path": "slimlit.callbacks.TeacherCache", "init_args": {"folder": f"{folder}/teacher"}}
        shipped = yaml.safe_load(Path("configs/distil.yaml").read_text())["trainer"]["callbacks"]
        others = [callback for callback in shipped if callback["class_path"] != teacher_cache["class_path"]]
        callbacks = [{"class_path": f"{__name__}.Watch"}, teacher_cache, *others]  # the clock first, the cache empty
        config = Path(folder) / "clock.yaml"
        config.write_text(yaml.safe_dump({"trainer": {"callbacks": callbacks}}))
        options = ["--config", str(config), "--trainer.limit_val_batches=0", "--checkpoint.monitor=null"]
        assert run([*command(job, f"{folder}/runs"), "--run", "student", *options]) == 0
    return Watch.student
