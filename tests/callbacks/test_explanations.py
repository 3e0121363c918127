"""Explanations scores the reasons for the same few texts, compares them with the teacher's, and changes nothing."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import seed_everything

from slimlit.callbacks import Explanations
from slimlit.callbacks.metrics_file import MetricsFile
from slimlit.losses import SoftTargets
from slimlit.models import Pretrained, Shrunk
from slimlit.tasks import SequenceClassification
from tests.tasks.doubles import make_task, toy_data, toy_teacher, toy_trainer
from tests.tasks.tagging import make_tagger, toy_tagging


@pytest.fixture(scope="module")
def teacher(toy_model: Path, toy_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_teacher(toy_model, toy_files, tmp_path_factory.mktemp("teacher"), epochs=2)


def fit(model: Path, files: Path, teacher: Path | None, folder: Path, *callbacks: Any, **trainer: Any) -> Any:
    seed_everything(1)
    if teacher is None:
        task = make_task(Pretrained(str(model), pooling="attention"))
    else:
        task = make_task(Shrunk(layers=[1, 2]), Pretrained(str(teacher)), SoftTargets(), lr=3e-3)
    settings = {"max_epochs": 2, "callbacks": list(callbacks), **trainer}
    toy_trainer(folder, **settings).fit(task, datamodule=toy_data(model, files))
    return task


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "reports" / "explanations.json").read_text())
    return found


def test_faithfulness_and_agreement_with_the_teacher_are_logged_and_written_after_each_validation(
    toy_model: Path, toy_files: Path, teacher: Path, tmp_path: Path
) -> None:
    metrics = MetricsFile(tmp_path / "metrics.csv")
    fit(toy_model, toy_files, teacher, tmp_path, Explanations(num_examples=12), logger=[metrics])
    found = report(tmp_path)
    assert found["method"] == "input-gradient"
    assert found["texts"] == "12 validation examples"
    assert [one["step"] for one in found["history"]] == [20, 40]
    last = found["history"][-1]
    assert last["comprehensiveness"]["low"] <= last["comprehensiveness"]["mean"] <= last["comprehensiveness"]["high"]
    assert last["rank_correlation"]["mean"] > 0.3  # the student is the teacher's own layers
    with (tmp_path / "metrics.csv").open(encoding="utf-8", newline="") as file:
        logged = [row for row in csv.DictReader(file) if row.get("explanations/sufficiency")]
    assert [row["step"] for row in logged] == ["19", "39"]
    assert float(logged[-1]["explanations/rank_correlation"]) == pytest.approx(last["rank_correlation"]["mean"])
    assert float(logged[-1]["explanations/top_overlap_chance"]) == pytest.approx(last["top_overlap_chance"])


def test_training_is_the_same_bit_for_bit_with_and_without_it(
    toy_model: Path, toy_files: Path, teacher: Path, tmp_path: Path
) -> None:
    plain = fit(toy_model, toy_files, teacher, tmp_path / "plain", max_epochs=1, val_check_interval=8)
    watched = fit(
        toy_model,
        toy_files,
        teacher,
        tmp_path / "watched",
        Explanations(num_examples=4),
        max_epochs=1,
        val_check_interval=8,
    )
    pairs = zip(plain.student.parameters(), watched.student.parameters(), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)
    assert watched.student.training
    assert all(weight.grad is None for weight in watched.teacher.parameters())


def test_without_a_teacher_there_is_faithfulness_alone_and_every_few_validations_are_counted(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    public = ["good movie", "a bad , bad film"]
    explained = Explanations("leave-one-out", every_n_validations=2, texts=public)
    fit(toy_model, toy_files, None, tmp_path, explained)
    found = report(tmp_path)
    assert found["texts"] == "2 public texts"
    assert [one["step"] for one in found["history"]] == [40]
    assert "rank_correlation" not in found["history"][0]
    again = Explanations("leave-one-out", every_n_validations=2, texts=public)
    again.load_state_dict(explained.state_dict())
    assert again._history == found["history"]


def test_of_a_private_run_nothing_is_explained_but_public_texts(
    toy_model: Path,
    toy_files: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("slimlit.callbacks.explanations.is_private", lambda trainer: True)
    fit(toy_model, toy_files, None, tmp_path, Explanations(), max_steps=1, limit_val_batches=1)
    assert not (tmp_path / "reports").exists()
    assert "Explanations explains nothing: the texts are private" in capsys.readouterr().out
    fit(toy_model, toy_files, None, tmp_path, Explanations(texts=["good"]), max_steps=1, val_check_interval=1)
    assert report(tmp_path)["texts"] == "1 public texts"


def test_a_method_that_does_not_fit_the_teacher_is_refused_before_training(
    toy_model: Path, toy_files: Path, teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="'pooling-weights' does not fit the teacher\nuse one of pooling-share"):
        fit(toy_model, toy_files, teacher, tmp_path, Explanations("pooling-weights"))


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'leave-one-out'"):
        Explanations("leave-out-one")
    with pytest.raises(ValueError, match="num_examples is 0; expected 1 or more"):
        Explanations(num_examples=0)


def test_a_tagger_is_asked_for_the_first_entity_of_each_sentence(
    toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    seed_everything(1)
    data, explained = toy_tagging(toy_model, toy_sentence_files), Explanations(num_examples=6)
    task = make_tagger(Pretrained(str(toy_model)))
    toy_trainer(tmp_path, max_steps=2, val_check_interval=2, callbacks=[explained]).fit(task, datamodule=data)
    found = report(tmp_path)
    assert found["texts"] == "6 validation sentences"
    assert len(found["history"]) == 1
    asked = explained._found
    assert asked is not None
    assert asked.places is not None
    for row, place in enumerate(asked.places.tolist()):
        sentence = int(asked.batch["example_id"][row])
        first = next(at for at, tag in enumerate(data.splits["validation"].tags[sentence]) if tag != "O")
        assert int(asked.batch["word_ids"][row, place]) == first
    with pytest.raises(ValueError, match="Explanations.texts have no tags\nleave texts out"):
        Explanations(texts=["a film"]).setup(toy_trainer(tmp_path), task, "fit")


def test_a_task_of_other_answers_is_refused(tmp_path: Path) -> None:
    class Other(SequenceClassification):
        kind = "causal_lm"  # type: ignore[misc]

    with pytest.raises(ValueError, match="the task is causal_lm, whose words change as it learns"):
        Explanations().setup(toy_trainer(tmp_path), Other(Pretrained("x")), "fit")
