"""Read documents: of text files by lines, paragraphs, headings or whole, of JSON lines by a column, of a prepared folder by split."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from slimlit.data.files import ENDINGS as TABLES
from slimlit.data.files import Columns, Texts, read_texts, split_files
from slimlit.text.compression import plain_name, readable
from slimlit.text.downloads.bundles import BUNDLES
from slimlit.text.lines import open_text, read_json_lines

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
    """Documents, the group of each where a column names one, and what was left out."""

    texts: list[str]
    groups: list[str] = field(default_factory=list)
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: list[int]) -> "Corpus":
        """Those documents, in that order."""
        return Corpus([self.texts[row] for row in rows], [self.groups[row] for row in rows] if self.groups else [])

    def as_texts(self) -> Texts:
        """The documents; those that are alike fall into one part."""
        return Texts(self.texts, labels=[""] * len(self.texts))


def read_documents(
    source: str, split: str, documents: Documents, column: str = "text", group: str | None = None
) -> Corpus:
    """The documents of a text file, a JSON-lines or table file, a bundled text, or a folder with a file (or shards) of ``split``.

    Args:
        source: what to read. In a folder, the files are those whose names begin with the split's.
        split: the wanted part.
        documents: what a document of a text file is: a line, what stands between empty lines, an article under its
            heading (``= Title =``, as WikiText has them), or the whole file.
        column: of the text, in files with columns.
        group: of the name of a group, in files with columns.

    Raises:
        ValueError: no such file, no such column, an unknown format, or nothing readable in it.
    """
    found = Corpus([])
    for file in _files(source, split):
        plain = plain_name(file)
        if plain.endswith(_TEXT):
            if group is not None:
                raise ValueError(
                    f"{file} has no columns, so no group_column {group!r}\ngive JSON lines with that column"
                )
            found.texts += [tidy for text in _cut(Path(file), documents) if (tidy := _tidied(text))]
        elif plain.endswith(_JSON) and Path(file).is_file():
            _read_json(found, Path(file), column, group)
        else:  # a table, whose cells are cleaned: one line each
            read = read_texts(file, Columns(column, None, None, group), split)
            found.texts += read.texts
            found.groups += read.groups
            found.num_empty += read.num_empty
            found.broken += read.broken
    if not len(found):
        raise ValueError(f"no text in {source}: {found.num_empty} empty and {len(found.broken)} broken documents")
    return found


def _tidied(text: str) -> str:
    return _SURROGATES.sub("", text).replace("\r\n", "\n").strip()


def _read_json(found: Corpus, file: Path, column: str, group: str | None) -> None:
    for record in read_json_lines(file, found.broken):
        value = record.get(column)
        if not isinstance(value, str | None):
            raise ValueError(f"column {column!r} of {file} holds a {type(value).__name__}; expected text")
        if column not in record or (group is not None and not str(record.get(group) or "")):
            missing = column if column not in record else group
            raise ValueError(f"a line of {file} has no {missing!r}\nit has: {', '.join(map(str, record))}")
        text = _tidied(value or "")
        found.num_empty += not text
        if text:
            found.texts.append(text)
            found.groups += [] if group is None else [str(record[group])]


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
        text = opened.read().replace("\r\n", "\n")
    if documents == "file":
        yield text
    elif documents == "lines":
        yield from text.split("\n")
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
