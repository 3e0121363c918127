import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb.proto.wandb_internal_pb2 import Record

from slimlit.__main__ import main
from slimlit.bench.contestants import Contestant
from slimlit.bench.measuring import Plan
from slimlit.bench.result import Measured, Setting

TOY = """
trainer: {max_epochs: 3, accelerator: cpu, enable_progress_bar: false, log_every_n_steps: 5}
model: models/student.yaml
data:
  class_path: slimlit.data.TextClassification
  init_args:
    train: {files}/train.csv
    validation: {files}/validation.csv
    test: {files}/test.csv
    tokenizer: {model}
    max_length: 32
    batch_size: 16
"""
STUDENT = """
class_path: slimlit.tasks.SequenceClassification
init_args:
  student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}, pooling: attention}}}}
  optimizer: {{class_path: slimlit.tasks.optimizers.AdamW, init_args: {{lr: 0.01}}}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy_files: Path, toy_model: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["slimlit"])
    Path("models").mkdir()
    Path("toy.yaml").write_text(TOY.replace("{files}", str(toy_files)).replace("{model}", str(toy_model)))
    Path("models/student.yaml").write_text(STUDENT.format(model=toy_model))


def test_fit_test_predict_and_bench_from_fragments_end_with_labelled_texts_and_a_report(
    toy_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["fit", "--config", "toy.yaml", "--run", "first", "--wandb", "disabled"]) == 0
    assert "test it: slimlit test --run first" in capsys.readouterr().out
    assert main(["test", "--run", "first", "--wandb", "disabled"]) == 0
    report = json.loads(Path("runs/first/reports/test.json").read_text())
    assert f"test/accuracy           {report['test/accuracy']:.4f}" in capsys.readouterr().out
    texts = Path("texts.csv")
    texts.write_text("text\na joyful film\nthe story was dull\n")
    assert main(["predict", "--run", "first", "--data.predict", "texts.csv"]) == 0
    lines = [json.loads(line) for line in Path("runs/first/predictions.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["a joyful film", "the story was dull"]
    assert {line["label"] for line in lines} <= {"negative", "positive"}
    assert all(0.5 <= line["probability"] <= 1 for line in lines)
    assert main(["predict", "--run", "first", "--data.predict", "texts.csv"]) == 2
    assert main(["predict", "--run", "first", "--data.predict", "texts.csv", "--output", "more.jsonl"]) == 0
    asked = []

    def measured(contestants: list[Contestant], texts: Path, todo: Plan) -> tuple[list[Measured], list[str]]:
        asked.extend([[one.name for one in contestants], texts.is_file(), todo.watts])
        one = Measured(contestants[0], 8, 10, 5.0)
        one.add(Setting(1, 32, 1), [0.01], [0.01], None)
        return [one], ["onnx: it died"]

    monkeypatch.setattr("slimlit.bencher.measure", measured)  # whose processes take seconds; tests/bench has one
    assert main(["bench", "--run", "first", "--quick", "--watts", "7"]) == 0
    assert asked == [["student", "student bf16"], True, 7.0]
    assert "not measured: onnx: it died" in capsys.readouterr().out
    report = json.loads(Path("runs/first/reports/bench.json").read_text())
    assert (report["quick"], report["contestants"][0]["accuracy"]) == (True, 0.8)
    assert Path("runs/first/reports/bench.svg").is_file()
    assert main(["bench", "--run", "first", "--watts", "0"]) == 2


def test_later_configs_and_options_win_over_earlier_ones(capsys: pytest.CaptureFixture[str]) -> None:
    Path("fast.yaml").write_text("trainer: {max_epochs: 7, precision: bf16-mixed}\n")
    assert (
        main(["fit", "--config", "toy.yaml", "--config", "fast.yaml", "--data.batch_size", "8", "--print_config"]) == 0
    )
    shown: dict[str, Any] = yaml.safe_load(capsys.readouterr().out)
    assert shown["trainer"]["max_epochs"] == 7
    assert shown["trainer"]["log_every_n_steps"] == 5
    assert shown["data"]["init_args"]["batch_size"] == 8
    assert shown["model"]["class_path"] == "slimlit.tasks.SequenceClassification"
    assert not Path("runs").exists()


def test_lightning_s_check_of_one_batch_leaves_nothing() -> None:
    assert main(["fit", "--config", "toy.yaml", "--trainer.fast_dev_run=true"]) == 0
    assert not Path("runs").exists()


def test_wandb_has_the_config_and_the_metrics_and_nothing_of_the_machine() -> None:
    assert main(["fit", "--config", "toy.yaml", "--run", "seen", "--trainer.max_epochs=1"]) == 0
    (file,) = Path("runs/seen/wandb").glob("offline-run-*/run-seen.wandb")
    records = whole_wandb(file)
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.run_id, run.display_name, run.project, run.host) == ("seen", "seen", "slimlit", "")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["data"]["init_args"]["batch_size"] == 16
    logged = {item.key or "/".join(item.nested_key) for record in records for item in record.history.item}
    assert {"train/loss", "validation/accuracy", "trainer/global_step"} <= logged
    assert socket.gethostname().encode() not in file.read_bytes()
    assert not any(record.HasField("output_raw") or record.HasField("stats") for record in records)
    assert not list(file.parent.glob("files/*"))


def test_an_offline_run_never_opens_a_socket_to_the_outside() -> None:
    watched = """
import socket, sys
from slimlit.__main__ import main
def connect(self, address, *rest, _connect=socket.socket.connect):
    outside = self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1")
    assert not outside, f"connected to {address}"
    return _connect(self, address, *rest)
socket.socket.connect = connect
status = main(["fit", "--config", "toy.yaml", "--run", "seen", "--trainer.max_epochs=1"])
told = [name for name in sys.modules if name.startswith("opentelemetry.exporter")]
assert not told, told
sys.exit(status)
"""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}  # this process's W&B
    found = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=False, env=env)
    assert found.returncode == 0, found.stderr[-2000:]
    assert list(Path("runs/seen/wandb").glob("offline-run-*/run-seen.wandb"))


def whole_wandb(path: Path) -> list[Any]:
    """The records once the last is there: W&B's own process writes on for a moment after the run has ended."""
    for _ in range(200):
        records = list(read_wandb(path))
        if records and records[-1].HasField("exit"):
            return records
        time.sleep(0.1)
    raise AssertionError(f"{path} has no end after 20 seconds")


def read_wandb(path: Path) -> Any:
    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        if at + 7 + size > len(data):
            return  # still being written
        parts += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""
