"""``slimlit audit``: a student that learned its texts by heart is found out, a private one is not, and no text is shown."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from slimlit.__main__ import main
from slimlit.privacy.canaries import read_canaries

TOY = """
seed_everything: 1
trainer:
  max_epochs: 30
  accelerator: cpu
  enable_progress_bar: false
  limit_val_batches: 0
  callbacks: [{{class_path: slimlit.callbacks.Canaries, init_args: {{num: 160, seed: 7}}}}]
checkpoint: {{monitor: null}}
model:
  class_path: slimlit.tasks.SequenceClassification
  init_args:
    student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}, pooling: attention}}}}
    optimizer: {{class_path: slimlit.tasks.optimizers.AdamW, init_args: {{lr: 0.007}}}}
data:
  class_path: slimlit.data.TextClassification
  init_args:
    train: {files}/train.csv
    validation: {files}/validation.csv
    test: {files}/test.csv
    tokenizer: {model}
    max_length: 32
    batch_size: 64
"""
PRIVATE = ["--trainer.callbacks+=slimlit.callbacks.DifferentialPrivacy", "--trainer.callbacks.epsilon=1.0"]


@pytest.fixture(scope="module")
def workplace(toy_files: Path, toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned by heart, and a private one."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "toy.yaml").write_text(TOY.format(files=toy_files, model=toy_model))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["slimlit"])
        patch.setenv("SLIMLIT_CACHE", str(folder / "cache"))
        fit = ["fit", "--config", "toy.yaml", "--wandb", "disabled"]
        assert main([*fit, "--run", "plain"]) == 0
        assert main([*fit, "--run", "private", "--trainer.max_epochs", "4", *PRIVATE]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "argv", ["slimlit"])


def test_a_student_that_learned_by_heart_is_found_out_and_no_text_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--run", "plain"]) == 0
    shown = capsys.readouterr().out
    text = Path("runs/plain/reports/audit.json").read_text()
    found = json.loads(text)
    assert found["attacks"]["canaries"]["auc interval"][0] > 0.6
    assert found["epsilon is at least"]["epsilon"] > 1
    assert found["claimed epsilon"] is None
    assert not found["the claim is refuted"]
    assert "none is claimed" in shown
    picture = Path("runs/plain/reports/audit.svg").read_text()
    ElementTree.fromstring(picture)
    for one in read_canaries(Path("runs/plain/private")) or []:
        assert one.text not in text + picture + shown
    assert main(["audit", "--run", "plain", "--seed", "0"]) == 0
    assert Path("runs/plain/reports/audit.json").read_text() == text


def test_a_private_student_raises_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--run", "private"]) == 0
    found = json.loads(Path("runs/private/reports/audit.json").read_text())
    ledger = json.loads(Path("runs/private/privacy.json").read_text())
    assert found["claimed epsilon"] == pytest.approx(ledger["data"][0]["epsilon"])
    assert found["delta"] == ledger["data"][0]["delta"]
    assert found["epsilon is at least"]["epsilon"] <= 0.5
    assert found["attacks"]["canaries"]["auc"] < 0.65
    assert "is claimed" in capsys.readouterr().out
    assert "permits" in Path("runs/private/reports/audit.svg").read_text()
    assert found["attacks"]["loss"]["others"] == 86  # test and validation, less a third for the reference


def test_a_claim_that_is_not_true_is_refuted_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Path("runs/plain/privacy.json")
    honest = ledger.read_text()
    claim = json.loads(honest)
    claim["stages"][0]["steps"] = [{"noise_multiplier": 8.0, "sample_rate": 0.08, "num_steps": 200}]
    ledger.write_text(json.dumps(claim))
    try:
        assert main(["audit", "--run", "plain"]) == 1
    finally:
        ledger.write_text(honest)
    assert "THE CLAIM IS REFUTED" in capsys.readouterr().out
    assert json.loads(Path("runs/plain/reports/audit.json").read_text())["the claim is refuted"]


def test_texts_that_chose_the_checkpoint_are_no_outsiders() -> None:
    config = Path("runs/private/config.yaml")
    before = config.read_text()
    chosen = yaml.safe_load(before)
    chosen["checkpoint"]["monitor"] = "validation/accuracy"
    config.write_text(yaml.safe_dump(chosen))
    try:
        assert main(["audit", "--run", "private", "--max_examples", "40"]) == 0
    finally:
        config.write_text(before)
    assert json.loads(Path("runs/private/reports/audit.json").read_text())["attacks"]["loss"]["others"] == 40


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--run", "plian"], "did you mean 'plain'?"),
        ([], "for example: slimlit audit --run first"),
        (["--run", "plain", "--data.test", "nothing.csv"], "no such file: nothing.csv"),
        (["--run", "plain", "--max_examples", "few"], "max_examples is 'few'; expected int"),
        (["--run", "plain", "--max_examples", "0"], "--max_examples is 0; expected 1 or more"),
        (["--run", "plain", "--max_examples=-5"], "--max_examples is -5; expected 1 or more"),
        (["--run", "plain", "--seed=-1"], "--seed is -1; expected 0 or more"),
        (["--run", "plain", "--max_exampels", "5"], "did you mean 'max_examples'?"),
        (["--run", "plain", "--qqq", "5"], "max_examples, seed"),
    ],
)
def test_mistakes_are_told_in_a_few_lines(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) <= 4


def test_a_run_that_is_not_finished_or_has_lost_its_canaries_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    student, canaries = Path("runs/plain/student"), Path("runs/plain/private/canaries.jsonl")
    for path, said in ((student, "is not finished"), (canaries, "are gone")):
        path.rename("aside")
        try:
            assert main(["audit", "--run", "plain"]) == 2
        finally:
            Path("aside").rename(path)
        assert said in capsys.readouterr().err
