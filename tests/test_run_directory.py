import csv
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import yaml
from lightning.pytorch import Callback

from slimlit.__main__ import main
from slimlit.runs import replace_folder

CONFIG = """
trainer:
  max_epochs: 3
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: false
model:
  class_path: tests.tiny.Tiny
  init_args:
    student: {class_path: tests.tiny.TinyNetwork}
data:
  class_path: tests.tiny.TinyData
checkpoint:
  every_n_steps: 2
wandb: disabled
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["slimlit"])
    Path("tiny.yaml").write_text(CONFIG)
    return tmp_path


def fit(*arguments: str) -> int:
    return main(["fit", "--config", "tiny.yaml", *arguments])


def last(run: str) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(f"runs/{run}/checkpoints/last.ckpt", weights_only=True)
    return checkpoint


def rows(run: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(f"runs/{run}/metrics.csv").read_text().splitlines()))


def same(one: object, other: object) -> bool:
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other  # type: ignore[arg-type]


class Snapshots(Callback):
    """Copies the run directory, at every moment that finds another checkpoint there: what a killed process leaves."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):  # type: ignore[no-untyped-def]
        self.copy(trainer, "start")

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):  # type: ignore[no-untyped-def]
        self.copy(trainer, "end")

    def on_validation_end(self, trainer, pl_module):  # type: ignore[no-untyped-def]
        if not trainer.sanity_checking:
            self.copy(trainer, "validated")

    def copy(self, trainer, moment):  # type: ignore[no-untyped-def]
        folder = Path(trainer.default_root_dir)
        checkpoint = folder / "checkpoints" / "last.ckpt"
        step = torch.load(checkpoint)["global_step"] if checkpoint.exists() else 0
        if not list(folder.parent.glob(f"killed-{step:02}-*")):
            shutil.copytree(folder, folder.parent / f"killed-{step:02}-{moment}")


def test_a_run_has_config_checkpoints_metrics_student_and_report_in_one_directory() -> None:
    assert fit() == 0
    files = {str(path.relative_to("runs/tiny")) for path in Path("runs/tiny").rglob("*") if path.is_file()}
    assert files == {
        "config.yaml", "checkpoints/last.ckpt", "checkpoints/best.ckpt", "metrics.csv", "reports/data.json",
        "student/weights.pt", "privacy.json", "student/privacy.json", "student/PRIVACY.md", "report.html",
    }  # fmt: skip


@pytest.mark.parametrize(
    "settings",
    [
        ["--trainer.max_epochs=2"],
        ["--trainer.max_epochs=2", "--trainer.val_check_interval=2"],
        ["--trainer.max_steps=7"],
    ],
)
def test_a_run_killed_at_any_step_and_resumed_equals_one_that_was_not(settings: list[str]) -> None:
    settings = [*settings, "--data.batch_size=5", "--checkpoint.every_n_steps=1"]
    assert fit("--run", "whole", *settings) == 0
    assert fit("--run", "watched", *settings, "--trainer.callbacks+=tests.test_run_directory.Snapshots") == 0
    killed = sorted(Path("runs").glob("killed-*"))
    assert len(killed) > 6
    for folder in killed:
        assert main(["fit", "--run", folder.name, "--resume", "--trainer.callbacks=null"]) == 0
        assert_same_run("whole", folder.name)


def assert_same_run(one: str, other: str) -> None:
    ours, theirs = last(one), last(other)
    for checkpoint in (ours, theirs):
        checkpoint["random_states"][0].pop("python")  # beartype draws from it to check lists
    for part in ("state_dict", "optimizer_states", "global_step", "epoch", "random_states", "callbacks"):
        assert same(ours[part], theirs[part]), (other, part)
    for file in ("metrics.csv", "student/weights.pt"):
        assert Path("runs", one, file).read_bytes() == Path("runs", other, file).read_bytes(), (other, file)


@pytest.mark.parametrize("limit", ["max_steps", "max_epochs"])
def test_raising_the_limit_after_the_end_continues_as_if_it_had_been_so_from_the_start(limit: str) -> None:
    one, three = ("9", "16") if limit == "max_steps" else ("1", "3")
    assert fit("--run", "whole", f"--trainer.{limit}={three}") == 0
    assert fit("--run", "raised", f"--trainer.{limit}={one}") == 0
    assert main(["fit", "--run", "raised", "--resume", f"--trainer.{limit}={three}"]) == 0
    assert_same_run("whole", "raised")
    assert yaml.safe_load(Path("runs/raised/config.yaml").read_text())["trainer"][limit] == int(three)


def test_fit_refuses_to_overwrite_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_steps=1") == 0
    before = sorted((path, path.stat().st_mtime_ns) for path in Path("runs").rglob("*"))
    assert fit("--trainer.max_steps=1") == 2
    assert sorted((path, path.stat().st_mtime_ns) for path in Path("runs").rglob("*")) == before
    assert "slimlit fit --run tiny --resume" in capsys.readouterr().err


def test_the_saved_config_is_complete_and_makes_the_same_run_again() -> None:
    assert fit("--trainer.max_steps=2") == 0
    config = yaml.safe_load(Path("runs/tiny/config.yaml").read_text())
    assert config["trainer"]["accumulate_grad_batches"] == 1
    assert config["seed_everything"] == 0
    assert main(["fit", "--config", "runs/tiny/config.yaml", "--run", "again"]) == 0
    assert_same_run("tiny", "again")
    again = yaml.safe_load(Path("runs/again/config.yaml").read_text())
    assert again == {**config, "run": "again"}


def test_a_checkpoint_holds_the_config_and_no_teacher() -> None:
    assert fit("--trainer.max_steps=1") == 0
    checkpoint = last("tiny")
    assert checkpoint["config"] == Path("runs/tiny/config.yaml").read_text()
    assert not [name for name in checkpoint["state_dict"] if name.startswith("teacher")]
    assert "hyper_parameters" not in checkpoint


class Fails(Callback):
    def __init__(self, at: int, problem: str = "a bug") -> None:
        self.at, self.problem = at, problem

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):  # type: ignore[no-untyped-def]
        if trainer.global_step == self.at:
            if self.problem == "sigterm":
                return os.kill(os.getpid(), signal.SIGTERM)
            raise KeyboardInterrupt if self.problem == "ctrl-c" else RuntimeError(self.problem)


FAILS = "--trainer.callbacks+=tests.test_run_directory.Fails"


class ReadsThePage(Callback):
    seen: ClassVar[list[bool]] = []

    def on_train_epoch_end(self, trainer, pl_module):  # type: ignore[no-untyped-def]
        step = f"{trainer.global_step - 1:,}</text>"
        self.seen.append(step in (Path(trainer.default_root_dir) / "report.html").read_text())


def test_the_page_has_the_scores_of_each_validation_when_the_epoch_ends() -> None:
    assert fit("--trainer.max_epochs=2", "--trainer.callbacks+=tests.test_run_directory.ReadsThePage") == 0
    assert ReadsThePage.seen == [True, True]


def test_a_new_run_that_fails_before_its_first_step_leaves_nothing() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        fit(FAILS, "--trainer.callbacks.at=0")
    assert not Path("runs/tiny").exists()


def test_a_run_that_fails_later_is_kept_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        fit(FAILS, "--trainer.callbacks.at=5")
    assert "slimlit fit --run tiny --resume" in capsys.readouterr().err
    assert len(rows("tiny")) == 5
    assert last("tiny")["global_step"] == 4


def test_a_resumed_run_that_fails_at_once_keeps_its_config() -> None:
    assert fit("--trainer.max_steps=2") == 0
    before = Path("runs/tiny/config.yaml").read_text()
    with pytest.raises(RuntimeError, match="a bug"):
        main(["fit", "--run", "tiny", "--resume", "--trainer.max_steps=4", FAILS, "--trainer.callbacks.at=2"])
    assert Path("runs/tiny/config.yaml").read_text() == before


def test_an_interrupted_run_is_kept_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        assert fit(FAILS, "--trainer.callbacks.at=3", "--trainer.callbacks.problem=ctrl-c") == 1
    finally:
        signal.signal(signal.SIGINT, handler)
    assert "slimlit fit --run tiny --resume" in capsys.readouterr().err
    assert last("tiny")["global_step"] == 2
    assert "not finished yet" in Path("runs/tiny/report.html").read_text()


def test_a_run_ended_by_sigterm_is_kept_and_ends_with_status_143(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(FAILS, "--trainer.callbacks.at=3", "--trainer.callbacks.problem=sigterm") == 143
    said = capsys.readouterr().err
    assert "slimlit fit --run tiny --resume" in said
    assert "terminated" in said.splitlines()
    assert last("tiny")["global_step"] >= 2


def test_whoever_may_read_a_folder_that_is_put_in_place_may_read_its_files(tmp_path: Path) -> None:
    for name, mode in (("model.safetensors", 0o600), ("config.json", 0o644)):
        (tmp_path / "new").mkdir(exist_ok=True)
        (tmp_path / "new" / name).touch(mode=mode)
    replace_folder(tmp_path / "new", tmp_path / "student")
    assert len({path.stat().st_mode for path in (tmp_path / "student").iterdir()}) == 1


def test_resuming_before_anything_was_saved_begins_again_in_the_same_directory() -> None:
    assert fit("--run", "whole", "--trainer.max_steps=4") == 0
    with pytest.raises(RuntimeError, match="a bug"):
        fit("--run", "early", "--trainer.max_steps=4", FAILS, "--trainer.callbacks.at=1")
    assert not Path("runs/early/checkpoints/last.ckpt").exists()
    assert main(["fit", "--run", "early", "--resume", "--trainer.callbacks=null"]) == 0
    assert_same_run("whole", "early")


def test_without_validation_the_student_has_the_last_weights() -> None:
    assert fit("--trainer.max_steps=3", "--trainer.limit_val_batches=0") == 0
    student = torch.load("runs/tiny/student/weights.pt")
    weights = last("tiny")["state_dict"]
    assert all(torch.equal(student[name], weights[f"student.{name}"]) for name in student)
    assert not Path("runs/tiny/checkpoints/best.ckpt").exists()


def test_other_verbs_need_only_the_run_and_leave_its_files_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit() == 0
    before = {
        file: Path("runs/tiny", file).read_bytes() for file in ("metrics.csv", "config.yaml", "checkpoints/last.ckpt")
    }
    best = max(float(row["validation/accuracy"] or 0) for row in rows("tiny"))
    assert main(["validate", "--run", "tiny"]) == 0
    assert main(["test", "--run", "runs/tiny", "--data.batch_size", "2"]) == 0
    assert json.loads(Path("runs/tiny/reports/validate.json").read_text())["validation/accuracy"] == pytest.approx(best)
    assert "test/weight" in capsys.readouterr().out
    student = torch.load("runs/tiny/student/weights.pt")
    assert json.loads(Path("runs/tiny/reports/test.json").read_text())["test/weight"] == pytest.approx(
        student["0.weight"].double().sum().item()
    )
    assert before == {file: Path("runs/tiny", file).read_bytes() for file in before}
    assert [path.name for path in Path("runs").iterdir()] == ["tiny"]


def test_an_unknown_run_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_steps=1", "--run", "first") == 0
    capsys.readouterr()
    assert main(["test", "--run", "frist"]) == 2
    assert "did you mean 'first'?" in capsys.readouterr().err


def test_a_run_without_a_student_cannot_be_tested(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("--trainer.max_steps=1") == 0
    shutil.rmtree("runs/tiny/student")
    capsys.readouterr()
    assert main(["test", "--run", "tiny"]) == 2
    assert capsys.readouterr().err == (
        "error: run 'tiny' is not finished: it has no student/\nfinish it: slimlit fit --run tiny --resume\n"
    )


def test_two_runs_of_one_config_are_the_same_whatever_was_drawn_before() -> None:
    assert fit("--run", "one", "--trainer.max_steps=3") == 0
    torch.rand(5)
    assert fit("--run", "two", "--trainer.max_steps=3", "--trainer.num_sanity_val_steps=0") == 0
    assert_same_run("one", "two")
