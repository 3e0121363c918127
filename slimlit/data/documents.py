"""Read documents: of text files by lines, paragraphs, headings or whole, of JSON lines by a column, of a prepared folder by split."""

import difflib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from slimlit.data.files import Columns, Texts, as_word, check_columns
from slimlit.data.records import ENDINGS as TABLES
from slimlit.data.records import Numbered, Opened, number, read_records, split_files
from slimlit.text.clean import clean
from slimlit.text.compression import plain_name, readable
from slimlit.text.downloads.bundles import BUNDLES
from slimlit.text.lines import Record, open_text, read_json_lines

Documents = Literal["lines", "paragraphs", "headings", "file"]
_HEADING = re.compile(
    r"^ ?= [^=].*[^=] = ?$|^ ?= [^= ] = ?$"
)  # of a WikiText article; sections have two signs and more
_SURROGATES = re.compile(r"[\ud800-\udfff]")  # no UTF-8 has them
_TEXT = (".txt", ".raw")
_JSON = (".jsonl", ".json")
ENDINGS = (*_TEXT, *TABLES)


@dataclass
class Corpus:
    """Documents, the row each was read from, and what was left out."""

    texts: list[str]
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: list[int]) -> "Corpus":
        """Those documents, in that order."""
        return Corpus([self.texts[row] for row in rows])

    def as_texts(self) -> Texts:
        """The documents; those that are alike fall into one part."""
        return Texts(self.texts, labels=[""] * len(self.texts))


def read_documents(source: str, split: str, documents: Documents, column: str = "text") -> Corpus:
    """The documents of a text file, a JSON-lines or table file, a bundled text, or a folder with a file (or shards) of ``split``.

    Args:
        source: what to read. In a folder, the files are those whose names begin with the split's.
        split: the wanted part.
        documents: what a document of a text file is: a line, what stands between empty lines, an article under its
            heading (``= Title =``, as WikiText has them), or the whole file.
        column: of the text, in files with columns.

    Raises:
        ValueError: no such file, no such column, an unknown format, or nothing readable in it.
    """
    opened = open_documents(source, split, documents, column)
    found = gather_documents(opened.rows, column)
    found.broken = opened.broken
    if not len(found):
        raise ValueError(f"no text in {source}: {found.num_empty} empty and {len(found.broken)} broken documents")
    return found


def open_documents(source: str, split: str, documents: Documents, column: str = "text") -> Opened:
    """The documents of a source as they are read, under the name of their column; see :func:`read_documents`."""
    files = _files(source, split)
    return Opened(lambda broken: _read(files, split, documents, Columns(column, None, None), broken))


def gather_documents(rows: Iterable[Numbered], column: str) -> Corpus:
    """The documents of rows; those without a text are counted."""
    found = Corpus([])
    for row, record in rows:
        if not record[column]:
            found.num_empty += 1
            continue
        found.rows.append(row)
        found.texts.append(record[column])
    return found


def _read(
    files: Sequence[str], split: str, documents: Documents, columns: Columns, broken: list[str]
) -> Iterator[Numbered]:
    """The rows of all files; of a text file, those lines and paragraphs that are not blank."""
    start = 0
    for file in files:
        if plain_name(file).endswith(_TEXT):
            for text in _cut(Path(file), documents):
                if tidy := _tidied(text):
                    yield start, {columns.text: tidy}
                start += 1
            continue
        before, count = len(broken), 0
        is_json = plain_name(file).endswith(_JSON) and Path(file).is_file()
        # cells of a table are cleaned: one line each
        records = _read_json(Path(file), columns, broken) if is_json else _read_table(file, split, columns, broken)
        for row, record in number(records, broken, start):
            count += 1
            yield row, record
        start += count + len(broken) - before


def _tidied(text: str) -> str:
    return _SURROGATES.sub("", text).replace("\r\n", "\n").strip()


def _read_json(file: Path, columns: Columns, broken: list[str]) -> Iterator[Record]:
    for record in read_json_lines(file, broken):
        value = record.get(columns.text)
        if not isinstance(value, str | None):
            raise ValueError(f"column {columns.text!r} of {file} holds a {type(value).__name__}; expected text")
        if columns.text not in record:
            raise ValueError(f"a line of {file} has no {columns.text!r}\nit has: {', '.join(map(str, record))}")
        yield {**record, columns.text: _tidied(value or "")}


def _read_table(file: str, split: str, columns: Columns, broken: list[str]) -> Iterator[Record]:
    for place, record in enumerate(read_records(file, split, broken)):
        if place == 0:  # all rows of a table have its columns
            check_columns(file, columns, list(record))
        yield {**record, columns.text: clean(as_word(record.get(columns.text)))}


def _files(source: str, split: str) -> list[str]:
    path = Path(source).expanduser()
    if path.is_dir():
        files = [str(file) for file in split_files(source, split, ENDINGS)]
        if not files:
            names = sorted(one.name for one in path.iterdir())[:8]
            raise ValueError(
                f"{source} has no file of the split {split!r}\nit has: {', '.join(names)}\nexpected {split}.jsonl, or {split}-00000.jsonl and so on"
            )
        return files
    if plain_name(path.name).endswith(_TEXT) and not path.is_file():
        near = difflib.get_close_matches(path.name, [one.name for one in path.parent.glob("*")], n=1)
        hint = f"\ndid you mean {path.parent / near[0]}?" if near else ""
        raise ValueError(f"no such file: {source}{hint}")
    return [source if source in BUNDLES and not path.exists() else str(path)]


def _cut(file: Path, documents: Documents) -> Iterator[str]:
    with open_text(file) as opened, readable(file):
        if documents == "lines":
            yield from _lines(opened)
            return
        text = opened.read().replace("\r\n", "\n")
    if documents == "file":
        yield text
    elif documents == "paragraphs":
        yield from re.split(r"\n[ \t]*\n\s*", text)
    else:
        lines: list[str] = []
        for line in text.split("\n"):
            if _HEADING.match(line) and lines:
                yield "\n".join(lines)
                lines = []
            lines.append(line)
        yield "\n".join(lines)


def _lines(opened: Iterable[str]) -> Iterator[str]:
    """The lines of a file as they are read; a carriage return alone ends none."""
    line = ""
    for part in opened:
        line += part
        if part.endswith("\n"):
            yield line.removesuffix("\n").removesuffix("\r")
            line = ""
    yield line
