"""A toy run without the command line: the real task, data and trainer on toy reviews."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer, seed_everything

from slimlit.data import TextClassification
from slimlit.losses import Loss, WeightedSum
from slimlit.models import Pretrained, Shrunk
from slimlit.models.network import Network
from slimlit.tasks import SequenceClassification
from slimlit.tasks.optimizers import AdamW


def toy_data(model: Path, files: Path, **settings: Any) -> TextClassification:
    return TextClassification(
        train=str(files / "train.csv"),
        validation=str(files / "validation.csv"),
        test=str(files / "test.csv"),
        tokenizer=str(model),
        **{"max_length": 32, "batch_size": 16, **settings},
    )


def toy_trainer(folder: Path, **settings: Any) -> Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    basic = {
        "accelerator": "cpu",
        "devices": 1,
        "num_sanity_val_steps": 0,
        "max_epochs": 1,
        "use_distributed_sampler": False,
    }
    return Trainer(default_root_dir=folder, **{**quiet, **basic, **settings})


def make_task(
    student: Network, teacher: Network | None = None, loss: Loss | None = None, lr: float = 1e-3
) -> SequenceClassification:
    return SequenceClassification(student, teacher, loss, optimizer=lambda params: AdamW(params, lr=lr))


def toy_teacher(model: Path, files: Path, folder: Path, epochs: int = 6) -> Path:
    """A fine-tuned toy teacher as a Hugging Face folder."""
    seed_everything(0)
    task = make_task(Pretrained(str(model), pooling="mean"), lr=3e-3)
    data = toy_data(model, files)
    toy_trainer(folder, max_epochs=epochs).fit(task, datamodule=data)
    task.export_student(folder / "teacher")
    return folder / "teacher"


__all__ = ["Shrunk", "WeightedSum", "make_task", "toy_data", "toy_teacher", "toy_trainer"]
