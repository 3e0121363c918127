"""A finished run as ``fit`` leaves one, without the training: a toy classifier, its tokenizer, and the config that made it."""

from pathlib import Path

import pytest
import torch
import yaml

from slimlit.models import Head, Pretrained
from slimlit.models.tokenizers import load_tokenizer
from slimlit.privacy.ledger import NAME, Ledger


@pytest.fixture(scope="package")
def toy_run(toy_model: Path, toy_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``runs/first`` in a folder of its own."""
    folder = tmp_path_factory.mktemp("exported")
    run = folder / "runs" / "first"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        student = Pretrained(str(toy_model), pooling="attention").build(Head(["bad", "good"]))
        torch.nn.init.normal_(student.classifier.weight)
        torch.nn.init.normal_(student.pooling.energy.weight, std=0.2)
    student.save_pretrained(run / "student")
    load_tokenizer(str(toy_model)).save_pretrained(run / "student")
    (run / "student" / NAME).write_text(Ledger().text())
    (run / NAME).write_text(Ledger().text())
    files = {name: f"{toy_files}/{name}.csv" for name in ("train", "validation", "test")}
    config = {
        "trainer": {"accelerator": "cpu", "enable_progress_bar": False},
        "model": {
            "class_path": "slimlit.tasks.SequenceClassification",
            "init_args": {
                "student": {"class_path": "slimlit.models.Pretrained", "init_args": {"source": str(toy_model)}}
            },
        },
        "data": {
            "class_path": "slimlit.data.TextClassification",
            "init_args": {**files, "tokenizer": str(run), "max_length": 32, "batch_size": 16},
        },
        "run": "first",
        "runs": "runs",
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return folder
