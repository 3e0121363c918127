"""Read records from text files, plain or compressed: CSV, TSV and JSON lines."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slimlit.text.compression import open_bytes, plain_name, readable

Record = Mapping[str, Any]


def open_text(path: Path) -> io.TextIOWrapper:
    """The file as UTF-8 text, unpacked where it is compressed."""
    file: Any = open_bytes(path)
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")


def read_table(path: Path, broken: list[str]) -> Iterator[Record]:
    """Rows of a CSV or TSV under its header; a TSV has no quoting. Rows that are none are described in ``broken``."""
    csv.field_size_limit(sys.maxsize)
    with open_text(path) as file, _readable_rows(path):
        lines: list[str] = []  # of the row being read
        if plain_name(path.name).endswith(".tsv"):
            reader = csv.reader(_remembered(file, lines), delimiter="\t", quoting=csv.QUOTE_NONE)
        else:
            reader = csv.reader(_remembered(file, lines))
        header = next(reader, [])
        lines.clear()
        for row in reader:
            where = f"line {reader.line_num}" if len(lines) == 1 else _span(reader.line_num, len(lines))
            closed = len(lines) == 1 or _closed(lines)
            lines.clear()
            if not row and len(header) > 1:
                continue
            cells = row or [""]  # an empty line is an empty cell, where there is one column
            if not closed:
                broken.append(f"{where}: a quote opens and is not closed")
            elif len(cells) == len(header):
                yield dict(zip(header, cells, strict=True))
            else:
                broken.append(f"{where}: {len(cells)} cells, expected {len(header)}")


def _remembered(file: Iterable[str], lines: list[str]) -> Iterator[str]:
    for line in file:
        lines.append(line)
        yield line


def _span(last: int, count: int) -> str:
    return f"lines {last - count + 1} to {last}"


def _closed(lines: list[str]) -> bool:
    """Whether a row of several lines is one by its quotes, and not rows that a stray quote ran together."""
    try:
        list(csv.reader(lines, strict=True))
    except csv.Error:
        return False
    return True


def read_json_lines(path: Path, broken: list[str]) -> Iterator[Record]:
    """One object a line. Lines that hold none are described in ``broken``."""
    with open_text(path) as file, _readable_rows(path):
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as problem:
                broken.append(f"line {number}: {problem.msg}")
                continue
            if isinstance(record, dict):
                yield record
            else:
                broken.append(f"line {number}: {type(record).__name__}, expected an object")


@contextmanager
def _readable_rows(path: Path) -> Iterator[None]:
    try:
        with readable(path):
            yield
    except csv.Error as problem:
        raise ValueError(f"{path} cannot be read: {problem}\nexpected UTF-8 text") from problem
