"""The whole path through the command line: teacher, student, test, predict, W&B; killed and resumed; on two processes."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, pipeline

from slimlit.__main__ import main
from slimlit.models import SequenceClassifier
from tests.browser import Browser

CONFIGS = Path(__file__).parents[1] / "configs"
FAST = ["--model.optimizer.lr", "3e-3", "--trainer.precision", "32-true", "--data.batch_size", "16"]


@pytest.fixture(scope="module")
def folder(toy_bundles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a trained teacher in runs/teacher, made from the shipped config."""
    home = tmp_path_factory.mktemp("first-path")
    before = Path.cwd()
    os.environ["SLIMLIT_CACHE"] = str(toy_bundles)
    os.chdir(home)
    assert main(["fit", "--config", str(CONFIGS / "teacher.yaml"), *FAST, "--trainer.max_epochs", "8"]) == 0
    yield home
    os.chdir(before)


@pytest.fixture(autouse=True)
def _here(folder: Path, toy_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(toy_bundles))
    monkeypatch.chdir(folder)


def rows(run: str) -> list[dict[str, str]]:
    """The metrics of a run without the throughput, which depends on the clock."""
    table = list(csv.DictReader(Path(f"runs/{run}/metrics.csv").read_text().splitlines()))
    for row in table:
        row.pop("train/examples_per_second", None)
    return [row for row in table if any(value for name, value in row.items() if name not in ("epoch", "step"))]


def weights(run: str) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(f"runs/{run}/checkpoints/last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return state


def logged_to_wandb(run: str) -> list[Any]:
    """The records of an offline W&B run: a header of seven bytes, then LevelDB blocks of 32 kB."""
    from wandb.proto import wandb_internal_pb2

    path = min(Path(f"runs/{run}/wandb").glob("offline-run-*/run-*.wandb"))  # fit's; test wrote another
    data, at, whole, records = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            records.append(record)
            whole = b""
    return records


def test_a_student_is_distilled_tested_and_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", str(CONFIGS / "distil.yaml"), "--run", "student", *FAST]) == 0
    assert main(["test", "--run", "teacher"]) == 0
    assert main(["test", "--run", "student"]) == 0
    teacher = json.loads(Path("runs/teacher/reports/test.json").read_text())
    student = json.loads(Path("runs/student/reports/test.json").read_text())
    assert teacher["test/accuracy"] >= 0.95
    assert student["test/accuracy"] >= 0.95 * teacher["test/accuracy"]
    assert student["test/agreement"] >= 0.9
    made = SequenceClassifier.from_pretrained("runs/student/student")
    assert made.config.num_hidden_layers == 3
    assert list(made.config.id2label.values()) == ["negative", "positive"]
    tokenizer = AutoTokenizer.from_pretrained("runs/student/student")
    answer = pipeline("text-classification", model=made, tokenizer=tokenizer)("the film was joyful")
    assert answer[0]["label"] == "positive"
    for file in (
        "attention/index.html",
        "reports/validation-confusion.svg",
        "reports/validation-worst.tsv",
        "reports/validation-worst.json",
        "reports/validation-calibration.svg",
        "reports/data.json",
    ):
        assert (Path("runs/student") / file).is_file(), file
    Path("texts.csv").write_text("text\nthe film was joyful\nit feels dull and long\n")
    assert main(["predict", "--run", "student", "--data.predict", "texts.csv"]) == 0
    lines = [json.loads(line) for line in Path("runs/student/predictions.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == ["positive", "negative"]
    assert "test/accuracy" in capsys.readouterr().out


def test_the_page_of_the_run_shows_what_every_verb_wrote_and_looks_well(browser: Browser) -> None:
    for look in browser.looks(Path("runs/student/report.html")):
        assert look.problems == []
    said = look.text
    for heading in ("Data", "Teacher and student", "Training", "Quality", "Privacy", "Explanations", "Lineage"):
        assert f"\n{heading}\n" in said
    accuracy = json.loads(Path("runs/student/reports/test.json").read_text())["test/accuracy"]
    assert f"{100 * accuracy:.1f} %\naccuracy, test\n" in said
    assert "predict from" in said


def test_the_offline_wandb_run_holds_config_losses_metrics_and_pictures() -> None:
    records = logged_to_wandb("student")
    config = {item.key: item.value_json for record in records for item in record.run.config.update}
    assert "slimlit.models.Shrunk" in json.dumps(config)
    keys = {"/".join([item.key, *item.nested_key]).strip("/") for record in records for item in record.history.item}
    for key in ("train/loss", "train/loss_soft", "train/loss_hard", "train/examples_per_second", "validation/accuracy",
                "validation/agreement", "validation/calibration_error", "validation/confusion", "validation/calibration", "validation/worst"):  # fmt: skip
        assert any(key in logged for logged in keys), (key, sorted(keys))
    assert any("attention" in logged for logged in keys)
    assert list(Path("runs/student/wandb").glob("offline-run-*/files/media/html/**/*.html"))


def test_a_run_killed_without_warning_and_resumed_ends_bit_for_bit_as_one_that_was_not() -> None:
    settings = ["--config", str(CONFIGS / "distil.yaml"), *FAST, "--trainer.max_epochs", "2", "--wandb", "disabled"]
    settings += ["--checkpoint.every_n_steps", "1", "--trainer.log_every_n_steps", "1"]
    assert main(["fit", *settings, "--run", "whole"]) == 0
    process = subprocess.Popen([sys.executable, "-m", "slimlit", "fit", *settings, "--run", "killed"])
    patience = time.monotonic() + 120
    while time.monotonic() < patience and process.poll() is None:
        metrics = Path("runs/killed/metrics.csv")
        last = Path("runs/killed/checkpoints/last.ckpt")
        if last.is_file() and metrics.is_file() and len(metrics.read_text().splitlines()) > 6:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert main(["fit", "--run", "killed", "--resume"]) == 0
    whole, killed = weights("whole"), weights("killed")
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert rows("whole") == rows("killed")


def test_two_processes_give_the_losses_of_one() -> None:
    calm = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    calm_teacher = Path("calm")
    model = SequenceClassifier.from_pretrained("runs/teacher/student")
    for name, value in calm.items():
        setattr(model.config.encoder, name, value)
    model.config.classifier_dropout = 0.0
    model.save_pretrained(calm_teacher)
    AutoTokenizer.from_pretrained("runs/teacher/student").save_pretrained(calm_teacher)
    settings = ["--config", str(CONFIGS / "teacher.yaml"), *FAST, "--wandb", "disabled"]
    Path("calm.yaml").write_text("model: {init_args: {student: {init_args: {source: calm, pooling: null}}}}")
    settings += ["--config", "calm.yaml", "--model.optimizer.lr", "1e-4", "--trainer.max_epochs", "1"]
    settings += ["--data.batch_size", "22", "--trainer.log_every_n_steps", "1"]
    assert main(["fit", *settings, "--run", "one"]) == 0
    two = ["--config", str(CONFIGS / "fragments" / "two_processes.yaml")]
    command = [sys.executable, "-m", "slimlit", "fit", *settings[:2], *two, *settings[2:], "--run", "two"]
    subprocess.run(command, check=True, timeout=180)
    one_loss = [float(row["train/loss"]) for row in rows("one") if row["train/loss"]]
    two_loss = [float(row["train/loss"]) for row in rows("two") if row["train/loss"]]
    assert len(one_loss) == len(two_loss) > 5
    assert one_loss == pytest.approx(two_loss, abs=2e-5)
    single, double = weights("one"), weights("two")
    assert all(torch.allclose(single[name], double[name], atol=2e-4) for name in single)
    Path("five.csv").write_text("text\n" + "the film was joyful\n" * 5)
    assert main(["predict", "--run", "two", "--data.predict", "five.csv"]) == 0  # in one process, nothing lost
    assert len(Path("runs/two/predictions.jsonl").read_text().splitlines()) == 5
