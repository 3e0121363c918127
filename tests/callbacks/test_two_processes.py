"""On two processes the teacher still runs once, each example counts once, and one process writes."""

import csv
from pathlib import Path

from lightning.pytorch import seed_everything
from lightning.pytorch.strategies import DDPStrategy

from slimlit.callbacks.attention_maps import AttentionMaps
from slimlit.callbacks.evaluation_report import EvaluationReport
from slimlit.callbacks.teacher_cache import TeacherCache
from slimlit.losses import SoftTargets
from slimlit.models import Pretrained, Shrunk
from slimlit.models.teacher_outputs import MANIFEST
from slimlit.tasks import SequenceClassification
from tests.tasks.doubles import toy_data, toy_teacher, toy_trainer


def test_two_processes_share_one_cache_and_one_report(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    teacher = Pretrained(str(toy_teacher(toy_model, toy_files, tmp_path, epochs=1)))
    found = {}
    for name, devices in (("one", 1), ("two", 2)):
        seed_everything(1)
        callbacks = [TeacherCache(str(tmp_path / f"cache-{name}")), AttentionMaps(num_examples=2), EvaluationReport()]
        strategy = DDPStrategy(process_group_backend="gloo", start_method="forkserver") if devices == 2 else "auto"
        trainer = toy_trainer(tmp_path / name, devices=devices, strategy=strategy, callbacks=callbacks)
        task = SequenceClassification(Shrunk(layers=[1]), teacher, SoftTargets())
        trainer.fit(task, datamodule=toy_data(toy_model, toy_files))
        found[name] = table(tmp_path / name / "reports" / "validation-confusion.tsv")
        folders = list((tmp_path / f"cache-{name}").iterdir())
        assert len(folders) == 2
        assert all((folder / MANIFEST).is_file() for folder in folders)
    assert sum(int(row["negative"]) + int(row["positive"]) for row in found["two"]) == 64
    assert found["one"] == found["two"]
    assert len(list((tmp_path / "two" / "attention").glob("*/example-*.svg"))) == 4


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))
