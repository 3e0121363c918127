"""Documents are read from every format alike, in the same order and blocks each time; what is none is counted."""

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from slimlit.text.compression import create_bytes, open_bytes
from slimlit.text.prepare.documents import Broken, Document, find_files, parse, read_blocks, read_raw

RECORDS = [{"text": "first, with a comma", "source": "a"}, {"text": "zweiter – “quoted”", "source": "b"}]


def as_table(delimiter: str) -> bytes:
    file = io.StringIO()
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(
        file, ["text", "source"], delimiter=delimiter, quoting=quoting, quotechar=None if delimiter == "\t" else '"'
    )
    writer.writeheader()
    writer.writerows(RECORDS)
    return file.getvalue().encode()


def as_parquet() -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(RECORDS), file)
    return file.getvalue()


LINES = "".join(json.dumps(record) + "\n" for record in RECORDS).encode()
FORMATS: dict[str, Callable[[], bytes]] = {
    "a.jsonl": lambda: LINES,
    "a.jsonl.gz": lambda: gzip.compress(LINES),
    "a.jsonl.bz2": lambda: bz2.compress(LINES),
    "a.json.xz": lambda: lzma.compress(LINES),
    "a.csv": lambda: as_table(","),
    "a.csv.gz": lambda: gzip.compress(as_table(",")),
    "a.tsv.bz2": lambda: bz2.compress(as_table("\t")),
    "a.parquet": as_parquet,
}


def documents(*sources: Path, unit: str = "file") -> list[Document | Broken | None]:
    return [parse(raw, "text") for raw in read_raw(find_files(map(str, sources)), unit)]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_documents(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FORMATS[name]())
    found = [one for one in documents(tmp_path / name) if isinstance(one, Document)]
    assert [{"text": one.text, **one.fields} for one in found] == RECORDS


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_what_is_written_compressed_is_read_back(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    with create_bytes(path) as file:
        file.write(LINES)
    with open_bytes(path) as file:
        assert list(file) == LINES.splitlines(keepends=True)
    assert len(documents(path)) == 2


@pytest.mark.parametrize(
    ("unit", "texts"),
    [
        ("file", ["one\ntwo\n\nthree\n"]),
        ("paragraph", ["one\ntwo\n", "three\n"]),
        ("line", ["one\n", "two\n", "three\n"]),
    ],
)
def test_a_plain_file_is_one_document_or_its_paragraphs_or_its_lines(
    unit: str, texts: list[str], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n\nthree\n")
    assert [one.text for one in documents(tmp_path / "a.txt", unit=unit) if isinstance(one, Document)] == texts


def test_a_folder_is_read_in_the_order_of_its_names_and_unknown_files_are_listed(tmp_path: Path) -> None:
    for name in ("b/x.txt", "a.txt", "c.jsonl", "notes.pdf", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"text": "t"}')
    files = find_files([str(tmp_path)])
    assert [path.relative_to(tmp_path).as_posix() for path in files.paths] == ["a.txt", "b/x.txt", "c.jsonl"]
    assert [path.name for path in files.unknown] == ["notes.pdf"]


def test_what_is_no_document_is_told_by_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "fine"}\n{"text": \n[1]\n\n{"body": "x"}\n{"text": "\xff"}\n')
    (tmp_path / "b.csv").write_text("text,source\nfine,a\nno\n")
    (tmp_path / "c.txt").write_bytes(b"\xff\xfe")
    found = [(one.number, one.why[:13]) for one in documents(tmp_path) if isinstance(one, Broken)]
    assert [number for number, _ in found] == [2, 3, 5, 6, 0, 1]
    assert [why for _, why in found[:3]] == ["no JSON: Expe", "list, expecte", "no text in 't"]


def test_the_blocks_are_the_same_each_time_and_as_large_as_asked(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES * 50)
    blocks = [list(read_blocks(read_raw(find_files([str(tmp_path)]), "file"), 500)) for _ in range(2)]
    assert blocks[0] == blocks[1]
    assert sum(map(len, blocks[0])) == 100
    assert all(500 <= sum(len(raw.content) for raw in block) < 600 for block in blocks[0][:-1])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl.gz", gzip.compress(LINES)[:-9], "expected a whole gzip file"),
        ("a.jsonl.xz", lzma.compress(LINES)[:-9], "expected a whole xz file"),
        ("a.jsonl.bz2", b"none", "expected a whole bzip2 file"),
        ("a.jsonl.zst", b"none", "expected a whole zstd file"),
        ("a.parquet", b"none", "is no Parquet file"),
        ("a.doc", b"none", "has no known format"),
    ],
    ids=["gz", "xz", "bz2", "zst", "parquet", "doc"],  # compressed bytes hold the time
)
def test_a_damaged_or_unknown_file_is_told_by_name(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said) as told:
        documents(tmp_path / name)
    assert name in str(told.value)


def test_a_file_that_is_not_there_is_told_with_one_near_it(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_bytes(LINES)
    with pytest.raises(ValueError, match=r"did you mean .*corpus\.jsonl"):
        documents(tmp_path / "corpsu.jsonl")


def test_a_plain_file_too_large_for_one_document_says_how_to_part_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlit.text.prepare.documents._MOST_BYTES", 10)
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    with pytest.raises(ValueError, match="--unit paragraph"):
        documents(tmp_path / "a.txt")
    assert len(documents(tmp_path / "a.txt", unit="line")) == 4
