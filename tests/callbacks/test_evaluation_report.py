"""EvaluationReport writes what the student mistakes for what, its worst answers, and how fast it trained."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock
from xml.etree import ElementTree

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything

from slimlit.callbacks.evaluation_report import EvaluationReport
from slimlit.models import Pretrained
from tests.tasks.doubles import make_task, toy_data, toy_trainer

LABELS = ["negative", "positive"]


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


class Report:
    """A report over answers made by hand."""

    def __init__(self, folder: Path, texts: list[str], num_worst: int = 20, pairs: list[str] | None = None) -> None:
        split = SimpleNamespace(texts=texts, pairs=pairs)
        data = SimpleNamespace(labels=LABELS, splits={"test": split})
        self.trainer = Mock(
            spec=Trainer,
            is_global_zero=True,
            default_root_dir=str(folder),
            loggers=[],
            callbacks=[],
            global_step=7,
            datamodule=data,
        )
        self.task = Mock(spec=LightningModule)
        self.report = EvaluationReport(num_worst)
        self.folder = folder / "reports"

    def add(
        self, ids: list[int], labels: list[int], logits: list[list[float]], teacher: list[int] | None = None
    ) -> None:
        said = None if teacher is None else torch.nn.functional.one_hot(torch.tensor(teacher), 2).float()
        outputs: dict[str, Any] = {
            "example_id": torch.tensor(ids),
            "labels": torch.tensor(labels),
            "logits": torch.tensor(logits),
        }
        outputs |= {"teacher_logits": said, "losses": None}
        self.report.on_test_batch_end(self.trainer, self.task, outputs, {}, 0)

    def write(self) -> None:
        self.report.on_test_epoch_end(self.trainer, self.task)


def test_the_confusion_matrix_counts_label_against_answer(tmp_path: Path) -> None:
    made = Report(tmp_path, ["a", "b", "c", "d"])
    made.add([0, 1], [0, 0], [[2.0, 0.0], [0.0, 2.0]])
    made.add([2, 3], [1, 1], [[0.0, 2.0], [0.0, 3.0]])
    made.write()
    rows = table(made.folder / "test-confusion.tsv")
    assert [[row["negative"], row["positive"]] for row in rows] == [["1", "1"], ["0", "2"]]
    said = list(ElementTree.fromstring((made.folder / "test-confusion.svg").read_text(encoding="utf-8")).itertext())
    assert "numbers: examples, shade: share of the row; right: 3 of 4" in said


def test_the_worst_are_the_most_confidently_wrong_and_the_teachers_answer_stands_beside(tmp_path: Path) -> None:
    made = Report(tmp_path, ["right", "a little\twrong", "very\nwrong", "wrong"], num_worst=2)
    made.add([0, 1, 2, 3], [0, 0, 0, 1], [[9.0, 0.0], [0.0, 0.1], [0.0, 4.0], [2.0, 0.0]], teacher=[0, 0, 1, 1])
    made.write()
    rows = table(made.folder / "test-worst.tsv")
    assert [row["text"] for row in rows] == ["very wrong", "wrong"]
    assert [row["teacher"] for row in rows] == ["positive", "positive"]
    assert [row["predicted"] for row in rows] == ["positive", "negative"]
    assert float(rows[0]["probability"]) == pytest.approx(0.982, abs=1e-3)


def test_the_worst_stand_in_a_json_file_with_their_texts_as_they_are(tmp_path: Path) -> None:
    made = Report(tmp_path, ["right", "a little\twrong"])
    made.add([0, 1], [0, 0], [[9.0, 0.0], [0.0, 0.1]])
    made.write()
    found = json.loads((made.folder / "test-worst.json").read_text(encoding="utf-8"))
    assert (found["examples"], found["wrong"], found["labels"]) == (2, 1, LABELS)
    assert found["worst"][0] | {"probability": 0} == {
        "example_id": 1,
        "text": "a little\twrong",
        "label": "negative",
        "predicted": "positive",
        "probability": 0,
        "teacher": None,
    }


def test_how_often_the_student_is_right_is_written_by_confidence(tmp_path: Path) -> None:
    made = Report(tmp_path, ["a", "b"])
    made.add([0, 1], [0, 0], [[0.0, 0.0], [9.0, 0.0]])
    made.write()
    found = json.loads((made.folder / "test-calibration.json").read_text(encoding="utf-8"))
    assert [(one["examples"], one["accuracy"]) for one in found["bins"]] == [(1, 1.0), (1, 1.0)]
    assert found["expected calibration error"] == pytest.approx(0.25, abs=1e-4)
    assert "calibration" in (made.folder / "test-calibration.svg").read_text(encoding="utf-8")


def test_an_example_scored_twice_counts_once_and_one_without_a_label_not_at_all(tmp_path: Path) -> None:
    made = Report(tmp_path, ["a", "b"])
    made.add([0, 1, 0], [0, -1, 0], [[2.0, 0.0], [2.0, 0.0], [2.0, 0.0]])
    made.write()
    rows = table(made.folder / "test-confusion.tsv")
    assert [[row["negative"], row["positive"]] for row in rows] == [["1", "0"], ["0", "0"]]


def test_both_texts_of_a_pair_are_listed(tmp_path: Path) -> None:
    made = Report(tmp_path, ["premise"], pairs=["hypothesis"])
    made.add([0], [0], [[0.0, 1.0]])
    made.write()
    assert table(made.folder / "test-worst.tsv")[0]["pair"] == "hypothesis"


def test_a_run_writes_its_reports_and_logs_its_throughput(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    seed_everything(0)
    task = make_task(Pretrained(str(toy_model), pooling="attention"))
    data = toy_data(toy_model, toy_files)
    trainer = toy_trainer(tmp_path, callbacks=[EvaluationReport()], num_sanity_val_steps=2)
    trainer.fit(task, datamodule=data)
    assert trainer.callback_metrics["train/examples_per_second"] > 0
    trainer.test(task, datamodule=data, verbose=False)
    for split in ("validation", "test"):
        rows = table(tmp_path / "reports" / f"{split}-confusion.tsv")
        assert sum(int(row["negative"]) + int(row["positive"]) for row in rows) == 64
        wrong = int(rows[0]["positive"]) + int(rows[1]["negative"])
        assert len(table(tmp_path / "reports" / f"{split}-worst.tsv")) == min(20, wrong)


def test_the_time_of_validation_is_left_out_of_the_throughput(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 103.0, 110.0, 115.0])  # epoch starts, validation starts, validation ends, epoch ends
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    report, trainer, task = (
        EvaluationReport(),
        Mock(spec=Trainer, world_size=2, callbacks=[]),
        Mock(spec=LightningModule),
    )
    report.on_train_epoch_start(trainer, task)
    for number in range(2):
        report.on_train_batch_end(trainer, task, None, {"labels": torch.zeros(8)}, number)
    report.on_validation_start(trainer, task)
    report.on_validation_end(trainer, task)
    report.on_train_epoch_end(trainer, task)
    task.log.assert_called_once_with("train/examples_per_second", 16 * 2 / (15.0 - 7.0))


def test_a_negative_number_of_worst_examples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"EvaluationReport.num_worst is -1; expected 0 or more"):
        EvaluationReport(num_worst=-1)
