import sys
from pathlib import Path

import pytest
import torch

from slimlit.__main__ import main
from slimlit.errors import shortly

CONFIG = """\
trainer:
  max_epochs: 1
  accelerator: cpu
  enable_progress_bar: false
model:
  class_path: tests.tiny.Tiny
  init_args:
    student:
      class_path: tests.tiny.TinyNetwork
    layers: [1]
    loss: null
data:
  class_path: tests.tiny.TinyData
  init_args:
    train: rows.csv
    text_column: text
wandb: disabled
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["slimlit"])
    monkeypatch.delenv("SLIMLIT_TRACEBACK", raising=False)
    Path("rows.csv").write_text("text,label\n")


def errors(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["fit", *arguments]) == 2
    said = capsys.readouterr().err
    said = said[said.index("error: ") :]
    assert len(said.splitlines()) <= 6
    assert not Path("runs").exists()
    return said


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("trainer:", "trianer:", ["a.yaml:1: no setting 'trianer'", "did you mean 'trainer'?"]),
        ("max_epochs: 1", "max_epoch: 1", ["a.yaml:2: trainer takes no 'max_epoch'", "did you mean 'max_epochs'?"]),
        ("max_epochs: 1", "max_epochs: many", ["a.yaml:2: trainer.max_epochs is 'many'; expected int or null"]),
        ("cpu", "gpuu", ["a.yaml:3: trainer: You selected an invalid accelerator name"]),
        ("tests.tiny.Tiny\n", "tests.tiny.Tyny\n", ["a.yaml:6: model: no 'Tyny' in tests.tiny", "did you mean 'tests.tiny.Tiny'?"]),
        ("tests.tiny.Tiny\n", "test.tiny.Tiny\n", ["a.yaml:6: model: no module 'test.tiny'"]),
        ("tests.tiny.Tiny\n", "tests.tiny.TinyData\n", ["a.yaml:6: model: tests.tiny.TinyData is no Task"]),
        ("layers:", "layrs:", ["a.yaml:10: model: tests.tiny.Tiny takes no 'layrs'", "did you mean 'layers'?"]),
        ("[1]", "[1, two]", ["a.yaml:10: model.layers[1] is 'two'; expected int"]),
        ("student:", "studnt:", ["a.yaml:8: model: tests.tiny.Tiny takes no 'studnt'", "did you mean 'student'?"]),
        ("    student:\n      class_path: tests.tiny.TinyNetwork\n", "", ["a.yaml:6: model: tests.tiny.Tiny needs 'student'"]),
        (
            "loss: null",
            "loss: {class_path: slimlit.losses.SoftTarget}",
            ["a.yaml:11: model.loss: no 'SoftTarget' in slimlit.losses", "did you mean 'slimlit.losses.SoftTargets'?"],
        ),
        (
            "TinyNetwork\n",
            "TinyNetwork\n      init_args: {width: 300}\n",
            ["a.yaml:10: width is 300; expected 100 at most"],
        ),
        ("column: text", "column: txt", ["a.yaml:16: no column 'txt' in rows.csv", "it has: text, label"]),
        ("rows.csv", "row.csv", ["no such file: row.csv", "did you mean rows.csv?"]),
        ('disabled', "offlin", ["a.yaml:17: wandb is 'offlin'; expected offline or online or disabled", "did you mean 'offline'?"]),
        ("max_epochs: 1", "max_epochs: [1", ["a.yaml:3: this is no YAML"]),
        (
            "trainer:",
            "trainer:\n  callbacks:\n  - class_path: lightning.pytorch.callbacks.Timer\n    init_args:\n      duratoin: 3",
            ["a.yaml:5: trainer.callbacks[0]: lightning.pytorch.callbacks.Timer takes no 'duratoin'", "did you mean 'duration'?"],
        ),
        (
            "wandb:",
            "checkpoint: {monitor: validation/acuracy}\nwandb:",
            ["a.yaml:17: checkpoint.monitor: validation logs no", "did you mean 'validation/accuracy'?"],
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_yaml_is_named_with_its_line_and_the_nearest_word(
    right: str, wrong: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert right in CONFIG
    Path("a.yaml").write_text(CONFIG.replace(right, wrong, 1))
    error = errors(capsys, "--config", "a.yaml")
    assert error.startswith(f"error: {said[0]}"), error
    assert all(part in error for part in said), error


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("epsilom: 3", ["p.yaml:6: trainer.callbacks[0]: slimlit.callbacks.DifferentialPrivacy takes no 'epsilom'", "did you mean 'epsilon'?"]),
        ("clipping: flaat", ["p.yaml:6: trainer.callbacks[0].clipping is 'flaat'", "did you mean 'flat'?"]),
        ("max_grad_norm: .inf", ["p.yaml:6: DifferentialPrivacy.max_grad_norm is inf; expected a number above 0"]),
        ("max_grad_norm: inf", ["p.yaml:6: trainer.callbacks[0].max_grad_norm is 'inf'; expected float"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("after", [True, False])
def test_a_mistake_in_what_a_fragment_adds_is_named_with_its_line(
    setting: str, said: list[str], after: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.yaml").write_text(CONFIG)
    Path("p.yaml").write_text(
        "trainer:\n  callbacks+:\n    - class_path: slimlit.callbacks.DifferentialPrivacy\n"
        f"      init_args:\n        epsilon: 3.0\n        {setting}\n"
    )
    files = ["--config", "a.yaml", "--config", "p.yaml"]
    error = errors(capsys, *(files if after else [*files[2:], *files[:2]]))
    assert error.startswith(f"error: {said[0]}"), error
    assert all(part in error for part in said), error


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--trainer.max_epoch=3", ["--trainer.max_epoch: trainer takes no 'max_epoch'", "did you mean 'max_epochs'?"]),
        ("--trainer.max_epochs=x", ["--trainer.max_epochs: trainer.max_epochs is 'x'; expected int or null"]),
        ("--model.layrs=[1]", ["--model.layrs: model: tests.tiny.Tiny takes no 'layrs'", "did you mean 'layers'?"]),
        ("--model.student.width=300", ["--model.student.width: width is 300; expected 100 at most"]),
        ("--reusme", ["--reusme: no setting 'reusme'", "did you mean 'resume'?"]),
        ("--wandb=ofline", ["--wandb: wandb is 'ofline'", "did you mean 'offline'?"]),
        ("--model.student.width=null", ["--model.student.width: model.student.width is null; expected int"]),
        ("--run=a?b", ["--run 'a?b' is no name for a run"]),
    ],
)
def test_a_mistake_in_an_option_is_named_with_the_option(
    option: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.yaml").write_text(CONFIG)
    error = errors(capsys, "--config", "a.yaml", option)
    assert error.startswith(f"error: {said[0]}"), error
    assert all(part in error for part in said), error


def test_a_mistake_in_a_fragment_is_named_with_the_fragment(capsys: pytest.CaptureFixture[str]) -> None:
    Path("model").mkdir()
    Path("model/kd.yaml").write_text("class_path: tests.tiny.Tiny\ninit_args:\n  studnt: null\n")
    Path("a.yaml").write_text("model: model/kd.yaml\ndata: tests.tiny.TinyData\n")
    assert errors(capsys, "--config", "a.yaml").startswith(
        "error: model/kd.yaml:3: model: tests.tiny.Tiny takes no 'studnt'"
    )


def test_a_fragment_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.yaml").write_text("data: tests.tiny.TinyData\nmodel: model/kd.yaml\n")
    assert errors(capsys, "--config", "a.yaml").startswith("error: a.yaml:2: model: no such file: model/kd.yaml")


def test_a_config_file_that_is_not_there_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    Path("configs").mkdir()
    Path("configs/sentiment.yaml").write_text(CONFIG)
    assert "did you mean configs/sentiment.yaml?" in errors(capsys, "--config", "configs/sentimnt.yaml")


def test_without_any_config_the_command_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected --config FILE" in errors(capsys)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        torch.zeros(2) @ torch.zeros(3)

    monkeypatch.setattr("tests.tiny.Tiny.training_step", broken)
    Path("a.yaml").write_text(CONFIG)
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        main(["fit", "--config", "a.yaml"])
    assert not Path("runs").exists()


def test_the_traceback_of_a_mistake_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_TRACEBACK", "1")
    Path("a.yaml").write_text(CONFIG.replace("column: text", "column: txt"))
    with pytest.raises(ValueError, match="no column 'txt'"):
        main(["fit", "--config", "a.yaml"])


def test_sigterm_is_told_and_ends_with_status_143(capsys: pytest.CaptureFixture[str]) -> None:
    with shortly(["export"]) as outcome:
        sys.exit(143)  # as ended_by_sigterm does
    assert outcome.status == 143
    assert capsys.readouterr().err == "terminated\n"
