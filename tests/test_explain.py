"""``slimlit explain``: a run's answers with tested reasons, as a page, as lines, as JSON; private texts are shown to nobody."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from slimlit.__main__ import main
from slimlit.explain.exam import Exam, Grade, Interval

TOY = """
seed_everything: 1
trainer: {{max_epochs: 4, accelerator: cpu, enable_progress_bar: false, limit_val_batches: 0}}
model:
  class_path: slimlit.tasks.SequenceClassification
  init_args:
    student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}, pooling: attention}}}}
    optimizer: {{class_path: slimlit.tasks.optimizers.AdamW, init_args: {{lr: 0.01}}}}
data:
  class_path: slimlit.data.TextClassification
  init_args:
    train: {files}/train.csv
    validation: {files}/validation.csv
    test: {files}/test.csv
    tokenizer: {model}
    max_length: 32
    batch_size: 32
"""


@pytest.fixture(scope="module")
def workplace(toy_files: Path, toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("explained")
    (folder / "toy.yaml").write_text(TOY.format(files=toy_files, model=toy_model))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["slimlit"])
        patch.setenv("SLIMLIT_CACHE", str(folder / "cache"))
        assert main(["fit", "--config", "toy.yaml", "--run", "first", "--wandb", "disabled"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "argv", ["slimlit"])


def explain(*options: str) -> int:
    return main(["explain", "--run", "first", "--wandb", "disabled", *options])


def test_the_word_that_decides_is_found_and_shown_in_the_terminal_and_on_the_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain("--text", "a film with a joyful story") == 0
    shown = capsys.readouterr().out
    assert "positive" in shown
    longest = max((line for line in shown.splitlines() if "|" in line), key=lambda line: line.count("+"))
    assert "joyful" in longest
    assert "explained: runs/first/reports/explain.html" in shown
    assert "joyful</span>" in Path("runs/first/reports/explain.html").read_text()


def test_json_is_all_that_is_written_to_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain("--split", "test", "--num_examples", "3", "--json", "--output", "three.html") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["examples"]) == 3
    tested = found["examples"][0]["answers"][0]["maps"][0]["tested"]
    assert set(tested) == {
        "comprehensiveness",
        "sufficiency",
        "random_comprehensiveness",
        "random_sufficiency",
        "luckiest",
    }
    assert "attention" not in found["examples"][0]
    assert Path("three.html").is_file()
    assert "The first 3 of 64 texts" in found["notes"][0]


def test_the_exam_is_kept_and_its_grades_stand_beside_the_maps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sat: dict[str, Any] = {}

    def examine(network: Any, batch: Any, question: Any, methods: Any, *rest: Any, facts: Any) -> Exam:
        sat.update(texts=len(batch["input_ids"]), asked=len(question.classes), facts=facts)
        gain = {"comprehensiveness probability": Interval(0.2, 0.1, 0.3)}
        curves = {name: [0.9, 0.5, 0.4, 0.3, 0.2, 0.2, 0.1] for name in ("random order", *methods)}
        grades = {name: Grade({}, gain, {}, 1.0) for name in methods}
        return Exam(grades, curves, [0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0], {}, 0.0, 0.2, facts)

    monkeypatch.setattr("slimlit.explainer.exam_of_run.examine", examine)
    assert explain("--exam", "--methods", "pooling-weights") == 0
    assert "| pooling-weights" in capsys.readouterr().out
    weights = sat["facts"].pop("weights")
    assert sat == {
        "texts": 64,
        "asked": 64,
        "facts": {"run": "first", "texts of": "test", "kind": "sequence_classification"},
    }
    sat["facts"]["weights"] = weights
    report = Path("runs/first/reports/exam.json")
    try:
        assert explain("--text", "a dull film", "--methods", "pooling-weights,input-gradient", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        grades = [one["grade"] for one in found["examples"][0]["answers"][0]["maps"]]
        assert grades == ["planted truth not tested, removal passed, weights not tested", None]
        of_others = json.loads(report.read_text())
        of_others["facts"]["weights"] = "others"
        report.write_text(json.dumps(of_others))  # the run was trained on since
        assert explain("--text", "a dull film", "--methods", "pooling-weights", "--json") == 0
        assert json.loads(capsys.readouterr().out)["examples"][0]["answers"][0]["maps"][0]["grade"] is None
    finally:
        report.unlink()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing to explain"),
        (["--text", "a", "--split", "test"], "--text and --split both say what to explain"),
        (["--text", "a", "--errors"], "--errors chooses among the run's own texts"),
        (["--pair", "a"], "--pair is the second text"),
        (["--text", "a", "--pair", "b"], "leave --pair out"),
        (["--text", "  "], "nothing of --text"),
        (["--text", "a", "--num_examples", "0"], "expected 1 or more"),
        (["--text", "a", "--methods", "magic"], "'magic' is no method"),
        (["--text", "a", "--methods", "all,magic"], "'magic' is no method"),
        (["--text", "a", "--split", "tset"], "tset"),
        (["--file", "nothing.csv"], "no such file: nothing.csv"),
    ],
)
def test_what_cannot_be_explained_is_told(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(*options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) <= 6


@pytest.mark.parametrize("options", [["--errors"], ["--split", "train"], ["--file", "train.csv"]])
def test_private_texts_are_refused_in_whatever_way_they_are_named(
    options: list[str], toy_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = Path("runs/first/privacy.json")
    before = ledger.read_text()
    private = json.loads(before)
    private["stages"][0]["steps"] = [{"noise_multiplier": 8.0, "sample_rate": 0.08, "num_steps": 200}]
    ledger.write_text(json.dumps(private))
    options = [str(toy_files / option) if option.endswith(".csv") else option for option in options]
    try:
        assert explain(*options) == 2
    finally:
        ledger.write_text(before)
    assert "shown to nobody" in capsys.readouterr().err


def test_a_private_run_without_its_ledger_shows_none_of_its_texts(capsys: pytest.CaptureFixture[str]) -> None:
    ledger, file = Path("runs/first/privacy.json"), Path("runs/first/config.yaml")
    before, text = ledger.read_text(), file.read_text()
    config = yaml.safe_load(text)
    config["trainer"]["callbacks"] = [
        {"class_path": "slimlit.callbacks.DifferentialPrivacy", "init_args": {"epsilon": 1.0}}
    ]
    file.write_text(yaml.safe_dump(config))
    ledger.unlink()
    try:
        assert explain("--errors") == 2
    finally:
        ledger.write_text(before)
        file.write_text(text)
    assert "its ledger is gone" in capsys.readouterr().err
