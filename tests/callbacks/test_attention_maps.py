"""AttentionMaps draws the same few examples again and again, says what they are not, and changes nothing."""

import csv
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from lightning.pytorch import seed_everything

from slimlit.callbacks.attention_maps import AttentionMaps
from slimlit.callbacks.fixed_examples import choose_examples
from slimlit.callbacks.metrics_file import MetricsFile
from slimlit.models import Pretrained
from slimlit.tasks import SequenceClassification
from tests.tasks.doubles import make_task, toy_data, toy_trainer


def fit(model: Path, files: Path, folder: Path, *callbacks: Any, **trainer: Any) -> SequenceClassification:
    seed_everything(1)
    task = make_task(Pretrained(str(model), pooling="attention"))
    settings = {"max_epochs": 2, "callbacks": list(callbacks), **trainer}
    toy_trainer(folder, **settings).fit(task, datamodule=toy_data(model, files))
    return task


def test_pictures_and_a_table_are_written_before_training_and_after_each_epoch(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    fit(toy_model, toy_files, tmp_path, AttentionMaps(num_examples=3, layers=[2]))
    steps = sorted(path.name for path in (tmp_path / "attention").iterdir())
    assert steps == ["index.html", "step-000000", "step-000020", "step-000040"]
    files = sorted(path.name for path in (tmp_path / "attention" / "step-000040").iterdir())
    examples = ["example-00000", "example-00001", "example-00002"]
    heads = ["heads.svg", "heads.tsv"]
    assert files == sorted([f"{e}{part}.svg" for e in examples for part in ("", "-layer-2")] + ["weights.tsv", *heads])
    for picture in (tmp_path / "attention").glob("*/example*.svg"):
        said = " ".join(ElementTree.fromstring(picture.read_text(encoding="utf-8")).itertext())
        assert "not yet scored: not an explanation" in said


def test_every_weight_of_a_text_is_in_the_table_and_sums_to_one(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    task = fit(toy_model, toy_files, tmp_path, AttentionMaps(num_examples=2), max_epochs=1)
    with (tmp_path / "attention" / "step-000020" / "weights.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    data = task.trainer.datamodule  # type: ignore[attr-defined]
    for example in ("0", "1"):
        mine = [row for row in rows if row["example_id"] == example]
        words = [row["word"] for row in mine][1:-1]
        assert "".join(words) == data.splits["validation"].texts[int(example)].replace(" ", "")
        assert sum(float(row["weight"]) for row in mine) == pytest.approx(1.0, abs=1e-4)


def test_the_page_shows_every_picture_of_every_step(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    fit(toy_model, toy_files, tmp_path, AttentionMaps(num_examples=2))
    page = (tmp_path / "attention" / "index.html").read_text(encoding="utf-8")
    pictures = [str(path.relative_to(tmp_path / "attention")) for path in (tmp_path / "attention").glob("*/*.svg")]
    assert len(pictures) == 9
    assert all(f'src="{path}"' in page for path in pictures)
    assert "not yet scored: not an explanation" in page


def test_how_pooling_and_heads_change_is_logged_and_every_head_is_in_the_table(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    seed_everything(1)
    metrics = MetricsFile(tmp_path / "metrics.csv")
    fit(toy_model, toy_files, tmp_path, AttentionMaps(num_examples=3), logger=[metrics], log_every_n_steps=1000)
    with (tmp_path / "metrics.csv").open(encoding="utf-8", newline="") as file:
        logged = [row for row in csv.DictReader(file) if row["attention/pooling_change"]]
    assert [row["step"] for row in logged] == ["0", "19", "39"]
    change = [float(row["attention/pooling_change"]) for row in logged]
    assert change[0] == 0.0 < change[1] <= 1.0
    assert float(logged[0]["attention/pooling_spread"]) == pytest.approx(1.0)  # fresh, it is mean pooling
    for name in ("pooling_top", "heads_needed", "head_distance", "head_spread", "head_change"):
        assert all(0.0 <= float(row[f"attention/{name}"]) <= 1.0 for row in logged)
    with (tmp_path / "attention" / "step-000040" / "heads.tsv").open(encoding="utf-8", newline="") as file:
        heads = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["layer"], row["head"]) for row in heads] == [("1", "1"), ("1", "2"), ("2", "1"), ("2", "2")]
    assert all(float(row["importance"]) > 0 for row in heads)


def test_change_is_measured_from_the_first_drawing_also_when_resumed() -> None:
    first, resumed = AttentionMaps(), AttentionMaps()
    first._first = {"pooling": torch.ones(1, 1, 2) / 2}
    resumed.load_state_dict(first.state_dict())
    assert torch.equal(resumed._first["pooling"], first._first["pooling"])


def test_training_is_the_same_bit_for_bit_with_and_without_it(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    plain = fit(toy_model, toy_files, tmp_path / "plain", max_epochs=1)
    drawn = fit(toy_model, toy_files, tmp_path / "drawn", AttentionMaps(layers=[1], every_n_steps=8), max_epochs=1)
    pairs = zip(plain.student.parameters(), drawn.student.parameters(), strict=True)
    assert all(torch.equal(first, second) for first, second in pairs)
    assert drawn.student.training


def test_between_drawings_nothing_of_it_runs(
    toy_model: Path, toy_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(AttentionMaps, "_draw", lambda self, trainer, task: drawn.append(trainer.global_step))
    task = fit(toy_model, toy_files, tmp_path, AttentionMaps(every_n_steps=8), max_epochs=1)
    assert drawn == [0, 8, 16]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in task.student.modules())


def test_the_examples_are_the_first_of_each_label_in_turn() -> None:
    assert choose_examples(np.array([0, 0, 0, 1, 0, 1, 2]), 4) == [0, 1, 3, 6]
    assert choose_examples(np.array([1, 1, 1]), 5) == [0, 1, 2]


def test_a_student_without_pooling_and_no_layers_is_refused_before_training(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig.from_pretrained(toy_model)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "plain")
    for file in toy_model.glob("tokenizer*"):
        (tmp_path / "plain" / file.name).write_bytes(file.read_bytes())
    task = make_task(Pretrained(str(tmp_path / "plain")))
    trainer = toy_trainer(tmp_path, callbacks=[AttentionMaps()])
    with pytest.raises(ValueError, match="nothing to draw: a BertForSequenceClassification has no attention pooling"):
        trainer.fit(task, datamodule=toy_data(toy_model, toy_files))


def test_a_layer_the_student_lacks_is_refused(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="7"):
        fit(toy_model, toy_files, tmp_path, AttentionMaps(layers=[7]))


@pytest.mark.parametrize("settings", [{"num_examples": 0}, {"every_n_steps": 0}])
def test_counts_below_one_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="is 0; expected 1 or more"):
        AttentionMaps(**settings)  # type: ignore[arg-type]
