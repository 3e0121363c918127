"""A toy tagging run without the command line: the real task, data and trainer on toy sentences."""

from functools import partial
from pathlib import Path
from typing import Any

from lightning.pytorch import seed_everything

from slimlit.data import Tagging
from slimlit.losses import Loss
from slimlit.models import Network, Pretrained
from slimlit.tasks import TokenClassification
from slimlit.tasks.optimizers import AdamW
from tests.tasks.doubles import toy_trainer


def toy_tagging(model: Path, files: Path, **settings: Any) -> Tagging:
    sources = {name: str(files / f"{name}.jsonl") for name in ("train", "validation", "test")}
    return Tagging(**{**sources, "tokenizer": str(model), "max_length": 40, "batch_size": 16, **settings})


def make_tagger(
    student: Network, teacher: Network | None = None, loss: Loss | None = None, lr: float = 1e-3
) -> TokenClassification:
    return TokenClassification(student, teacher, loss, optimizer=partial(AdamW, lr=lr))


def toy_tagger(model: Path, files: Path, folder: Path, epochs: int = 5) -> Path:
    """A fine-tuned toy tagger as a Hugging Face folder."""
    seed_everything(0)
    task = make_tagger(Pretrained(str(model)), lr=4e-3)
    toy_trainer(folder, max_epochs=epochs, limit_val_batches=0).fit(task, datamodule=toy_tagging(model, files))
    task.export_student(folder / "tagger")
    return folder / "tagger"
