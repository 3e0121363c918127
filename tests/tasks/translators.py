"""Toy translations, a translator that has learned them, and tasks around both."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything

from slimlit.data import Pairs
from slimlit.losses import Loss
from slimlit.models import Pretrained
from slimlit.models.network import Network
from slimlit.tasks import Seq2Seq
from slimlit.tasks.optimizers import AdamW
from tests.tasks.doubles import toy_trainer

GREEDY = {"max_new_tokens": 12}


def translations(files: Path, **settings: Any) -> Pairs:
    """The toy translations as a data module."""
    basic = {"max_length": 16, "max_target_length": 16, "batch_size": 32, "tokenizer": str(files / "model")}
    splits = {name: str(files / f"{name}.tsv") for name in ("train", "validation", "test")}
    return Pairs(**{**splits, **basic, **settings})


def translator(
    student: Network, teacher: Network | None = None, loss: Loss | None = None, lr: float = 5e-3, **settings: Any
) -> Seq2Seq:
    """A task that translates greedily."""
    make = lambda weights: AdamW(weights, lr=lr)  # noqa: E731
    return Seq2Seq(student, teacher, loss, optimizer=make, **{"generation": GREEDY, **settings})


def write_trained_translator(files: Path, folder: Path) -> None:
    """Train the toy translator until it translates, and write it as a Hugging Face folder."""
    seed_everything(0)
    task = translator(Pretrained(str(files / "model")), num_written=0)
    toy_trainer(folder.parent, max_epochs=15, limit_val_batches=0).fit(task, datamodule=translations(files))
    task.export_student(folder)


class StopAfter(Callback):
    """Ends a run in its middle, as a failure does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self.step:
            raise ValueError("stopped")
