import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from slimlit.data.files import Columns, Texts, read_texts

ROWS = [("a fine film", "good"), ('he said "no", twice', "bad"), ("很好看", "good")]
FEATURES = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
TABLE = datasets.Dataset.from_dict(
    {"text": [text for text, _ in ROWS], "label": [int(label == "good") for _, label in ROWS]}, features=FEATURES
)


def write_csv(folder: Path) -> Path:
    path = folder / "rows.csv"
    lines = ("text,label", *('"' + text.replace('"', '""') + f'",{label}' for text, label in ROWS))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_csv_of_windows(folder: Path) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(b"\xef\xbb\xbf" + write_csv(folder).read_bytes().replace(b"\n", b"\r\n"))
    return path


def write_tsv(folder: Path) -> Path:
    path = folder / "rows.tsv"
    path.write_text("\n".join(("text\tlabel", *("\t".join(row) for row in ROWS))), encoding="utf-8")
    return path


def write_jsonl(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"label": label, "text": text}) for text, label in ROWS), encoding="utf-8")
    return path


def write_gz(folder: Path) -> Path:
    path = folder / "rows.csv.gz"
    path.write_bytes(gzip.compress(write_csv(folder).read_bytes()))
    return path


def write_prepared(folder: Path) -> Path:
    for part, rows in (("train", ROWS[:2]), ("test", ROWS[2:])):
        (folder / part).mkdir()
        for number, (text, label) in enumerate(rows):
            line = json.dumps({"text": text, "label": label}) + "\n"
            (folder / part / f"part-{number:05d}.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    return folder


def write_parquet(folder: Path) -> Path:
    path = folder / "rows.parquet"
    TABLE.to_parquet(path)
    return path


def write_saved(folder: Path) -> Path:
    TABLE.save_to_disk(folder / "saved")
    return folder / "saved"


def write_saved_splits(folder: Path) -> Path:
    parts = datasets.DatasetDict({"train": TABLE, "validation": TABLE.select([1])})
    parts.save_to_disk(folder / "saved")
    return folder / "saved"


@pytest.mark.parametrize(
    "write",
    [
        write_csv, write_csv_of_windows, write_tsv, write_jsonl, write_gz, write_parquet, write_saved, write_saved_splits,
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::DeprecationWarning:datasets")
def test_every_format_gives_the_same_texts(write: Callable[[Path], Path], tmp_path: Path) -> None:
    texts = read_texts(str(write(tmp_path)), Columns())
    assert list(zip(texts.texts, texts.labels, strict=True)) == ROWS
    assert texts.pairs is None
    assert texts.num_empty == 0
    assert texts.broken == []


def test_a_saved_data_set_gives_the_part_asked_for(tmp_path: Path) -> None:
    folder = str(write_saved_splits(tmp_path))
    assert read_texts(folder, Columns(), "validation").texts == [ROWS[1][0]]
    with pytest.raises(ValueError, match="has no split 'test'\nit has: train, validation"):
        read_texts(folder, Columns(), "test")


def test_a_class_that_a_saved_data_set_leaves_open_is_an_empty_row(tmp_path: Path) -> None:
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [-1, 1]}, features=FEATURES)
    table.save_to_disk(tmp_path / "saved")
    texts = read_texts(str(tmp_path / "saved"), Columns())
    assert (texts.texts, texts.labels, texts.num_empty) == (["b"], ["good"], 1)


def read(tmp_path: Path, name: str, content: str | bytes, columns: Columns | None = None) -> Texts:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_texts(str(tmp_path / name), columns or Columns())


def test_texts_come_clean_and_with_their_pairs(tmp_path: Path) -> None:
    content = 'id,question,answer,label\n1, Why\t not?\u200b,"Be\ncause",7\n'
    texts = read(tmp_path, "a.csv", content, Columns("question", "answer", "label"))
    assert (texts.texts, texts.pairs, texts.labels) == (["Why not?"], ["Be cause"], ["7"])


def test_texts_to_label_need_no_label_column(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "text\nfine\n", Columns(label=None)).texts == ["fine"]


@pytest.mark.parametrize(("value", "word"), [(1, "1"), (1.0, "1"), (0.5, "0.5"), (True, "True"), ("1", "1")])
def test_labels_are_words_whatever_they_were(value: Any, word: str, tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", json.dumps({"text": "a", "label": value})).labels == [word]


def test_empty_rows_are_counted(tmp_path: Path) -> None:
    texts = read(tmp_path, "a.csv", "text,label\na,1\n  ,1\nb,\n\u200b,0\n\nc,0\n")
    assert (texts.texts, texts.num_empty) == (["a", "c"], 3)
    lines = ['{"text": "a", "label": 0}', '{"text": null, "label": 0}', '{"text": "b"}', '{"text": "c", "label": NaN}']
    texts = read(tmp_path, "a.jsonl", "\n".join(lines))
    assert (texts.texts, texts.num_empty) == (["a"], 3)


def test_broken_rows_are_told_by_line(tmp_path: Path) -> None:
    texts = read(tmp_path, "a.csv", 'text,label\n"two\nlines",1\na,b,c\nlonely\nd,0\n')
    assert texts.texts == ["two lines", "d"]
    assert texts.broken == ["line 4: 3 cells, expected 2", "line 5: 1 cells, expected 2"]
    texts = read(tmp_path, "a.jsonl", '{"text": "a", "label": 0}\n{oops\n[1]\n')
    assert texts.broken[0].startswith("line 2: Expecting property name")
    assert texts.broken[1:] == ["line 3: list, expected an object"]


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ('b,0\n"c,1\nd,0\ne,1\n', "lines 3 to 5: a quote opens and is not closed"),
        ('b,0\nc,"1\nd,0\n', "lines 3 to 4: a quote opens and is not closed"),
        ('b,0\n"c,1\nd,0\n"e" or f,1\n', "lines 3 to 5: a quote opens and is not closed"),
        ('b,0\n"c\nd"\n', "lines 3 to 4: 1 cells, expected 2"),
    ],
)
def test_rows_that_a_stray_quote_runs_together_are_told_by_their_lines(rows: str, where: str, tmp_path: Path) -> None:
    texts = read(tmp_path, "a.csv", f"text,label\n{rows}")
    assert (texts.texts, texts.labels) == (["b"], ["0"])
    assert texts.broken == [where]


def test_a_quote_in_a_tsv_is_a_character(tmp_path: Path) -> None:
    texts = read(tmp_path, "a.tsv", 'text\tlabel\n"c\t1\nd "e" f\t0\n')
    assert texts.texts == ['"c', 'd "e" f']
    assert not texts.broken


def test_empty_lines_of_one_column_are_empty_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\na\n\nb\n")
    texts = read_texts(str(path), Columns(label=None))
    assert (texts.texts, texts.num_empty) == (["a", "b"], 1)


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\na,1\n")
    assert read_texts("~/a.csv", Columns()).texts == ["a"]


def test_a_field_may_be_long(tmp_path: Path) -> None:
    assert len(read(tmp_path, "a.csv", f"text,label\n{'x' * 300_000},1\n").texts[0]) == 300_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "txt,label\na,1\n", "no column 'text' in .*\nit has: txt, label\ndid you mean 'txt'\\? name it: data.init_args.text_column: COLUMN"),
        ("a.csv", "text,lable\na,1\n", "no column 'label' in .*\nit has: text, lable\ndid you mean 'lable'\\? name it: data.init_args.label_column: COLUMN"),
        ("a.jsonl", '{"body": "a", "label": 1}', "no column 'text' in .*\nit has: body, label\nname it: data.init_args.text_column"),
        ("a.csv", "", "no text in .*: no rows\nexpected rows with columns text, label"),
        ("a.csv", "text,label\n", "no text in .*: no rows"),
        ("a.csv", "text,label\n,1\nx\n", "no text in .*: 1 empty and 1 broken rows"),
        ("a.txt", "text", "has no known format\nexpected a name ending in .csv, .tsv, .jsonl, .parquet"),
        ("a.csv", b"text,label\n\xff\xfe,1\n", "a.csv cannot be read: .*utf-8.*\nexpected UTF-8 text"),
        ("a.jsonl", b'{"text": "\xff"}', "a.jsonl cannot be read: .*utf-8.*\nexpected UTF-8 text"),
        ("a.csv.gz", "text,label\n", "a.csv.gz cannot be read: Not a gzipped file.*\nexpected a whole gzip file"),
        ("a.csv.gz", gzip.compress(b"text,label\nabc,1\n", mtime=0)[:-12], "a.csv.gz cannot be read: .*\nexpected a whole gzip file"),
        ("a.parquet", "no parquet here", "a.parquet is no Parquet file: "),
    ],
)  # fmt: skip
def test_an_unusable_file_is_told_in_few_lines(name: str, content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as told:
        read(tmp_path, name, content)
    assert len(str(told.value).splitlines()) <= 5


def test_a_missing_file_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").touch()
    with pytest.raises(ValueError, match=r"no such file: .*\ndid you mean .*/reviews.csv\? expected a file"):
        read_texts(str(tmp_path / "review.csv"), Columns())


def test_a_folder_that_is_no_data_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="is no saved data set, and has no file of the split 'train'\nexpected a folder"
    ):
        read_texts(str(tmp_path), Columns())


def test_a_bundle_that_is_not_downloaded_is_told_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match="type: python -m slimlit download rotten-tomatoes"):
        read_texts("rotten-tomatoes", Columns())


def test_a_name_that_nothing_has_is_told_with_the_nearest_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # both are read at import only
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="no text called 'rotten-tomato': .*\ndid you mean 'rotten-tomatoes'?"):
        read_texts("rotten-tomato", Columns())


def test_a_missing_package_is_told_with_the_line_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match='needs the package datasets\ntype: pip install "slimlit\\[files\\]"'):
        read(tmp_path, "a.parquet", "x")


def test_a_column_that_the_first_json_line_lacks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "a"}\n{"text": "b", "label": "x"}\n')
    texts = read_texts(str(path), Columns("text", None, "label"))
    assert (texts.texts, texts.labels, texts.num_empty) == (["b"], ["x"], 1)


def test_a_cell_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": ["a", "film"], "label": "x"}\n')
    with pytest.raises(ValueError, match=r"a cell holds a list: \['a', 'film'\]\nexpected text or a number"):
        read_texts(str(path), Columns("text", None, "label"))


def test_where_no_row_can_be_read_the_first_fault_is_told(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('[{"text": "a", "label": "x"}]\n')
    with pytest.raises(ValueError, match=r"0 empty and 1 broken rows \(line 1: list, expected an object\)"):
        read_texts(str(path), Columns("text", None, "label"))


def test_a_prepared_folder_gives_the_split_and_its_parts_in_order(tmp_path: Path) -> None:
    folder = write_prepared(tmp_path)
    for source in (folder, folder / "train"):
        texts = read_texts(str(source), Columns())
        assert list(zip(texts.texts, texts.labels, strict=True)) == ROWS[:2]
    assert read_texts(str(folder), Columns(), "test").labels == ["good"]
