"""A naive LightningModule: teacher run at every step, Lightning's defaults."""

import tempfile
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from experiments.speed.clock import Clock
from experiments.speed.job import Job, collate


class Distillation(pl.LightningModule):
    """Student and teacher."""

    def __init__(self, job: Job, num_steps: int) -> None:
        super().__init__()
        self.job, self.num_steps = job, num_steps
        self.teacher, self.student = job.networks()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The loss of a batch."""
        labels = batch.pop("labels")
        with torch.no_grad():
            answers = self.teacher(**batch).logits
        loss = self.job.loss(self.student(**batch).logits, answers, labels)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        """AdamW as it comes, the job's schedule."""
        optimizer = self.job.optimizer(self.student)
        schedule = self.job.schedule(optimizer, self.num_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Watch(pl.Callback):
    """Tells the clock of epochs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin."""
        self.clock.begin()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin an epoch."""
        self.clock.begin_epoch()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End it; checkpoints are written after."""
        self.clock.end_epoch()


def train(job: Job, clock: Clock) -> PreTrainedModel:
    """Train the student."""
    loader: DataLoader[Any] = DataLoader(job.examples("train"), job.batch_size, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    module = Distillation(job, job.num_epochs * len(loader))
    with tempfile.TemporaryDirectory() as folder:
        pl.Trainer(max_epochs=job.num_epochs, accelerator="cpu", default_root_dir=folder, callbacks=[Watch(clock)]).fit(
            module, loader
        )
        clock.end()
    return module.student
