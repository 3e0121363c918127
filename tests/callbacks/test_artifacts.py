"""Pictures and tables go to the run directory, and to W&B where a run logs there."""

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
import wandb
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from slimlit.callbacks.artifacts import at_step, keep_picture, keep_table, show


def trainer(folder: Path, *loggers: object, first: bool = True) -> Trainer:
    made: Trainer = Mock(
        spec=Trainer, default_root_dir=str(folder), loggers=list(loggers), is_global_zero=first, global_step=3
    )
    return made


def test_a_table_is_one_line_a_row_whatever_its_texts_hold(tmp_path: Path) -> None:
    keep_table(trainer(tmp_path), "reports/x.tsv", ("text", "share"), [("a\tb\nc", 0.12345678), ("不好", None)])
    assert (tmp_path / "reports" / "x.tsv").read_text(encoding="utf-8") == "text\tshare\na b c\t0.123457\n不好\t\n"


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    keep_picture(trainer(tmp_path, first=False), "x.svg", "<svg/>")
    assert list(tmp_path.iterdir()) == []


def test_loggers_other_than_wandb_get_no_pictures(tmp_path: Path) -> None:
    other = Mock()
    show(trainer(tmp_path, other), {"picture": "<svg/>"}, {"table": (("a",), [(1,)])})
    assert not other.method_calls
    assert list(tmp_path.iterdir()) == []


def test_wandb_gets_pictures_as_html_and_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger = WandbLogger(save_dir=tmp_path)
    try:
        show(
            trainer(tmp_path, logger),
            {"attention/example_1": "<svg>不好</svg>"},
            {"worst": (("text", "teacher"), [("a", None), ("b", "positive")])},
        )
    finally:
        logger.experiment.finish()
        wandb.teardown()  # it remembers the settings of its first run
    html = next(tmp_path.glob("wandb/*/files/media/html/**/*.html")).read_text(encoding="utf-8")
    assert html == '<!doctype html><meta charset="utf-8"><svg>不好</svg>'
    table = json.loads(next(tmp_path.glob("wandb/*/files/media/table/**/*.json")).read_text(encoding="utf-8"))
    assert table == {"columns": ["text", "teacher"], "data": [["a", None], ["b", "positive"]]}


def test_a_title_names_the_step_of_training_and_none_where_a_finished_student_is_scored() -> None:
    assert at_step(Mock(spec=Trainer, global_step=7)) == ", step 7"
    assert at_step(Mock(spec=Trainer, global_step=0)) == ""
