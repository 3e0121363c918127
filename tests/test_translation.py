"""Translation through the command line: taught by sequences, resumed, private; and what the ledger knows of written rows."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from slimlit.__main__ import main
from slimlit.privacy.ledger import Ledger
from slimlit.privacy.origins import origin_of

PRIVATE = {"class_path": "slimlit.callbacks.DifferentialPrivacy", "init_args": {"epsilon": 50.0}}
REPORT = {"class_path": "slimlit.callbacks.GenerationReport", "init_args": {"num_examples": 2}}


@pytest.fixture(autouse=True)
def _beside_the_files(toy_translator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train.tsv", "validation.tsv", "test.tsv", "trained"):
        (tmp_path / name).symlink_to(toy_translator / name)


def fit(run: str, *arguments: str, student: dict[str, Any] | None = None, callbacks: list[Any] | None = None) -> int:
    student = student or {"class_path": "slimlit.models.Shrunk", "init_args": {"of": "trained", "layers": [1]}}
    model = {"student": student, "generation": {"max_new_tokens": 12, "num_beams": 2}, "num_written": 4}
    data = {
        "train": "train.tsv",
        "validation": "validation.tsv",
        "test": "test.tsv",
        "tokenizer": "trained",
        "max_length": 16,
    }
    trainer = {"max_steps": 4, "val_check_interval": 2, "limit_val_batches": 1, "callbacks": callbacks or []}
    config = {
        "model": {"class_path": "slimlit.tasks.Seq2Seq", "init_args": model},
        "data": {"class_path": "slimlit.data.Pairs", "init_args": {**data, "max_target_length": 16}},
        "trainer": {**trainer, "enable_progress_bar": False},
    }
    Path("config.yaml").write_text(yaml.safe_dump(config))
    return main(["fit", "--config", "config.yaml", "--run", run, "--wandb", "disabled", *arguments])


def test_a_teachers_beam_outputs_teach_a_student_whose_ledger_knows_where_they_are_from() -> None:
    assert fit("teacher") == 0
    assert main(["predict", "--run", "teacher", "--data.predict", "train.tsv", "--output", "teacher.jsonl"]) == 0
    lines = [json.loads(line) for line in Path("teacher.jsonl").read_text().splitlines()]
    assert len(lines) == 640
    assert sum(line["prediction"] == line["target"] for line in lines) > 600
    known = json.loads(origin_of(Path("teacher.jsonl")).read_text())
    assert known["rows"].pop("place") in {stage["place"] for stage in known["stages"]}
    assert known["rows"] == {"source": "train.tsv", "split": "train", "num_units": 640, "run": "teacher"}
    learned = ["--data.train", "teacher.jsonl", "--data.learn_column", "prediction", "--checkpoint.monitor", "null"]
    assert fit("student", *learned, "--data.batch_size", "64", callbacks=[PRIVATE]) == 0
    costs = Ledger.read(Path("runs/student/privacy.json")).costs()
    stages = [sorted((stage.run, stage.kind) for stage in cost.stages) for cost in costs]
    trained = [("student", "reading"), ("student", "training"), ("teacher", "training")]
    assert sorted(stages) == [trained, [("teacher", "selection")]]
    assert all(cost.epsilon == float("inf") for cost in costs)  # the teacher learned and chose without noise


def test_a_private_run_clips_pairs_and_shows_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit("hidden", "--checkpoint.monitor", "null", "--data.batch_size", "64", callbacks=[PRIVATE, REPORT]) == 0
    assert "GenerationReport shows nothing" in capsys.readouterr().out
    assert not Path("runs/hidden/reports/validation-outputs.tsv").exists()
    (cost,) = Ledger.read(Path("runs/hidden/privacy.json")).costs()
    assert 0 < cost.epsilon < 50.5
    public = {**REPORT, "init_args": {"texts": ["the old dog sees"]}}
    assert fit("shown", "--checkpoint.monitor", "null", "--data.batch_size", "64", callbacks=[PRIVATE, public]) == 0
    (_, row) = Path("runs/shown/reports/validation-outputs.tsv").read_text().splitlines()
    assert row.startswith("0\tthe old dog sees\t\t\t")


def test_a_run_that_stopped_goes_on_to_the_same_bits() -> None:
    stop = {"class_path": "tests.tasks.translators.StopAfter", "init_args": {"step": 3}}
    settings = ["--trainer.max_steps", "6", "--trainer.val_check_interval", "2", "--checkpoint.every_n_steps", "1"]
    assert fit("whole", *settings) == 0
    assert fit("stopped", *settings, callbacks=[stop]) != 0
    assert fit("stopped", *settings, "--resume") == 0
    one, other = (Path(f"runs/{run}/student/model.safetensors").read_bytes() for run in ("whole", "stopped"))
    assert one == other
