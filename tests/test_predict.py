"""What ``predict`` writes of a file: window by window, in its order, with the number of each row."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from slimlit.data import TextClassification, windows
from slimlit.data.documents import gather_documents, open_documents
from slimlit.data.sentences import TagColumns, read_sentences
from slimlit.models import Pretrained
from slimlit.predictor import predict_file
from slimlit.tasks import SequenceClassification

ROWS = ["a fine film", "", "dull", "a joyful story of a house", "one,cell,more", "awful", "a film", "fine"]


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of three rows."""
    monkeypatch.setattr(windows, "NUM_ROWS", 3)
    monkeypatch.setattr(windows, "NUM_CHARACTERS", 1000)


def classify(folder: Path, model: Path, file: str, **settings: Any) -> tuple[list[dict[str, Any]], TextClassification]:
    """The lines that an untrained student writes of a file, and the data module that read it."""
    data = TextClassification(
        "none.csv", str(model), predict=str(folder / file), labels=["a", "b"], batch_size=2, max_length=32, **settings
    )
    torch.manual_seed(0)
    task = SequenceClassification(Pretrained(str(model)))
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu", default_root_dir=folder)
    predict_file(trainer, task, data, folder / "out.jsonl")
    return [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()], data


pytestmark = pytest.mark.filterwarnings("ignore:You are using a custom batch sampler `SortedBatches` for prediction")


def test_lines_stand_in_the_order_of_the_file_and_name_their_rows(
    tmp_path: Path, toy_model: Path, small_windows: None
) -> None:
    (tmp_path / "texts.csv").write_text("id,text\n" + "".join(f"{n},{text}\n" for n, text in enumerate(ROWS)))
    lines, data = classify(tmp_path, toy_model, "texts.csv")
    assert [(line["row"], line["text"]) for line in lines] == [
        (row, text) for row, text in enumerate(ROWS) if row not in (1, 4)
    ]
    assert data.report["predict file"] == {
        "source": str(tmp_path / "texts.csv"), "rows": 6, "empty rows left out": 1, "broken rows left out": 1,
        "first broken rows": ["line 6: 4 cells, expected 2"],
    }  # fmt: skip


def test_a_file_answered_in_windows_says_what_one_answered_whole_says(
    tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.csv").write_text("text\n" + "".join(f"{text}\n" for text in ROWS[:4] * 3))
    whole, data = classify(tmp_path, toy_model, "texts.csv")
    monkeypatch.setattr(windows, "NUM_ROWS", 3)
    monkeypatch.setattr(windows, "NUM_CHARACTERS", 1000)
    parts, again = classify(tmp_path, toy_model, "texts.csv")
    assert [{**line, "probability": 0} for line in parts] == [{**line, "probability": 0} for line in whole]
    assert [line["probability"] for line in parts] == pytest.approx([line["probability"] for line in whole], abs=2e-6)
    assert again.report == data.report


def test_no_more_than_one_window_is_held(tmp_path: Path, toy_model: Path, small_windows: None) -> None:
    (tmp_path / "texts.csv").write_text("text\n" + "a fine film\n" * 10)
    data = TextClassification(
        "none.csv", str(toy_model), predict=str(tmp_path / "texts.csv"), labels=["a", "b"], max_length=32
    )
    assert [(len(data.splits["predict"]), rows.tolist()) for rows in data.windows()] == [
        (3, [0, 1, 2]), (3, [3, 4, 5]), (3, [6, 7, 8]), (1, [9]),
    ]  # fmt: skip


def test_windows_of_long_rows_are_shorter(tmp_path: Path, toy_model: Path, small_windows: None) -> None:
    (tmp_path / "texts.csv").write_text("text\n" + "a fine film\n" + "film " * 250 + "\na film\n")
    data = TextClassification(
        "none.csv", str(toy_model), predict=str(tmp_path / "texts.csv"), labels=["a", "b"], max_length=32
    )
    assert [rows.tolist() for rows in data.windows()] == [[0, 1], [2]]
    assert data.report["predict"]["cut to max_length"] == 1


def test_a_file_that_ends_badly_leaves_nothing_half_written(
    tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "NUM_ROWS", 50)
    (tmp_path / "texts.csv").write_bytes(b"text\n" + b"film\n" * 50 + b"film " * 5000 + b"\n\xff\xfe\n")
    with pytest.raises(ValueError, match="cannot be read"):
        classify(tmp_path, toy_model, "texts.csv")
    assert not list(tmp_path.glob("out.jsonl*"))


def test_sigterm_ends_it_with_status_143_and_leaves_nothing_half_written(
    tmp_path: Path, toy_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.csv").write_text("text\n" + "film\n" * 6)
    monkeypatch.setattr(SequenceClassification, "predict_step", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit, match="143"):
        classify(tmp_path, toy_model, "texts.csv")
    assert not list(tmp_path.glob("out.jsonl*"))


def test_a_file_with_nothing_to_predict_is_told(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "texts.csv").write_text('id,text\n1,\n2,""\n3\n')
    with pytest.raises(ValueError, match="nothing to predict: 2 empty and 1 broken rows, line 4: 1 cells, expected 2"):
        classify(tmp_path, toy_model, "texts.csv")


def test_rows_of_json_lines_folders_and_text_files_are_counted_with_those_left_out(tmp_path: Path) -> None:
    (tmp_path / "predict-1.jsonl").write_text('{"text": "a"}\nbroken\n\n{"text": ""}\n{"text": "b"}\nbroken\n')
    (tmp_path / "predict-2.txt").write_text("c\n\nd\r\ne\rf\n")
    opened = open_documents(str(tmp_path), "predict", "lines")
    found = gather_documents(opened.rows, "text")
    assert list(zip(found.rows, found.texts, strict=True)) == [(0, "a"), (3, "b"), (5, "c"), (7, "d"), (8, "e\rf")]
    assert len(opened.broken) == 2


def test_broken_sentences_have_numbers_too(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Anna B-PER\n\nBob\nleft\n\nleft O\n")
    found = read_sentences(str(tmp_path / "a.conll"), TagColumns())
    assert (list(found.rows), found.words, len(found.broken)) == ([0, 2], [["Anna"], ["left"]], 1)


def test_parquet_is_read_bit_by_bit_and_its_rows_are_counted(tmp_path: Path, toy_model: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"text": None if number == 3 else f"film {number}"} for number in range(2005)]
    datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / "texts.parquet"))
    data = TextClassification(
        "none.csv", str(toy_model), predict=str(tmp_path / "texts.parquet"), labels=["a", "b"], max_length=32
    )
    assert [rows[[2, 3, -1]].tolist() for rows in data.windows()] == [[2, 4, 2004]]
