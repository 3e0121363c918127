"""Documents out of files and folders, as a stream: what is read, in blocks of a stated size, in the same order each time."""

import difflib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from slimlit.privacy.ledger import NAME
from slimlit.text.compression import SUFFIXES, open_bytes, plain_name, readable
from slimlit.text.lines import read_table

Unit = Literal["file", "paragraph", "line"]
FORMATS = (".txt", ".jsonl", ".json", ".csv", ".tsv", ".parquet")
_MOST_BYTES = 64 * 2**20  # of one document in a .txt: more than that is no document, and memory stays constant


class Raw(NamedTuple):
    """A document before it is parsed: the number of its file, of its line or row in it, and its bytes or fields."""

    file: int
    number: int
    kind: Literal["json", "text", "fields", "broken"]
    content: Any


class Document(NamedTuple):
    """A document: where it stands, its text, and the other fields of its record."""

    file: int
    number: int
    text: str
    fields: dict[str, Any]


NO_COLUMN = "no text in"


class Broken(NamedTuple):
    """What should have been a document, and why it is none."""

    file: int
    number: int
    why: str


@dataclass
class Files:
    """The files to read, in order, and those of a folder that have no known format."""

    paths: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)

    def name(self, number: int) -> str:
        """A file's name, for reports."""
        return self.paths[number].name

    def identity(self) -> list[list[Any]]:
        """Name, size and time of each file: where these are the same, nothing was changed."""
        stats = [(path, path.stat()) for path in self.paths]
        return [[str(path), stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def find_files(sources: Iterable[str]) -> Files:
    """The files of the sources, folders in the order of their names, with all below them.

    Raises:
        ValueError: no such source, an unknown format, or a source that is given twice.
    """
    found = Files()
    for source in sources:
        path = Path(source).expanduser()
        if path.is_dir():
            inside = sorted((one for one in path.rglob("*") if one.is_file()), key=lambda one: one.as_posix())
            visible = [one for one in inside if not any(part.startswith(".") for part in one.relative_to(path).parts)]
            known = [one for one in visible if _is_known(one)]
            if not known:
                raise ValueError(f"no text in folder {source}\nexpected files ending in {_formats()}")
            found.paths += known
            found.unknown += [one for one in visible if not _is_known(one)]
        elif not path.is_file():
            names = os.listdir(path.parent) if path.parent.is_dir() else []
            near = difflib.get_close_matches(path.name, names, n=1)
            hint = f"did you mean {path.parent / near[0]}?" if near else "expected a file or a folder"
            raise ValueError(f"no such file: {source}\n{hint}")
        elif not _is_known(path):
            raise ValueError(f"{source} has no known format\nexpected a name ending in {_formats()}")
        else:
            found.paths.append(path)
    twice = [path for path in found.paths if found.paths.count(path) > 1] if len(found.paths) < 1000 else []
    if twice:
        raise ValueError(f"{twice[0]} is read twice\nname each file once")
    return found


def read_raw(files: Files, unit: Unit) -> Iterator[Raw]:
    """All documents of the files, in order, unparsed; in constant memory.

    Raises:
        ValueError: a file is damaged, or no text.
    """
    for number, path in enumerate(files.paths):
        name = plain_name(path.name)
        with readable(path):
            if name.endswith((".jsonl", ".json")):
                with open_bytes(path) as file:
                    for line, content in enumerate(file, start=1):
                        yield Raw(number, line, "json", content)
            elif name.endswith(".txt"):
                yield from (Raw(number, line, "text", content) for line, content in _texts(path, unit))
            elif name.endswith(".parquet"):
                yield from (Raw(number, row, "fields", record) for row, record in enumerate(_parquet(path), start=1))
            else:
                broken: list[str] = []
                for row, record in enumerate(read_table(path, broken), start=1):
                    yield from (Raw(number, row, "broken", why) for why in broken)
                    broken.clear()
                    yield Raw(number, row, "fields", dict(record))
                yield from (Raw(number, 0, "broken", why) for why in broken)


def read_blocks(raws: Iterable[Raw], num_bytes: int) -> Iterator[list[Raw]]:
    """The documents in blocks: each as many as reach ``num_bytes``; the same blocks each time."""
    block: list[Raw] = []
    size = 0
    for raw in raws:
        block.append(raw)
        size += size_of(raw)
        if size >= num_bytes:
            yield block
            block, size = [], 0
    if block:
        yield block


def size_of(raw: Raw) -> int:
    """Bytes of a document as it was read, or characters where a reader gave fields."""
    if raw.kind == "fields":
        return sum(len(value) if isinstance(value, str) else 8 for value in raw.content.values())
    return len(raw.content)


def parse(raw: Raw, text_column: str) -> Document | Broken | None:
    """The document; why there is none; None for an empty line, which is nothing."""
    if raw.kind == "broken":
        return Broken(raw.file, raw.number, raw.content)
    if raw.kind == "text":
        try:
            return Document(raw.file, raw.number, raw.content.decode("utf-8-sig"), {})
        except UnicodeDecodeError as problem:
            return Broken(raw.file, raw.number, f"no UTF-8 text: {problem.reason}")
    if raw.kind == "fields":
        record = raw.content
    else:
        if not raw.content.strip():
            return None
        try:
            record = json.loads(raw.content)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as problem:
            return Broken(raw.file, raw.number, f"no JSON: {str(problem)[:100]}")
        if not isinstance(record, dict):
            return Broken(raw.file, raw.number, f"{type(record).__name__}, expected an object")
    if text_column not in record:
        return Broken(raw.file, raw.number, f"{NO_COLUMN} {text_column!r}; it has: {', '.join(record)[:200]}")
    text = record.pop(text_column)
    if not isinstance(text, str):
        return Broken(raw.file, raw.number, f"{type(text).__name__} in {text_column!r}, expected text")
    return Document(raw.file, raw.number, text, record)


def _is_known(path: Path) -> bool:
    name = plain_name(path.name)
    if path.name.endswith(f".{NAME}"):  # what rows owe, beside them: no text
        return False
    return name.endswith(FORMATS) and not (name.endswith(".parquet") and name != path.name)


def _formats() -> str:
    return f"{', '.join(FORMATS)} (or compressed: {', '.join(SUFFIXES)})"


def _texts(path: Path, unit: Unit) -> Iterator[tuple[int, bytes]]:
    """The documents of a .txt, each with the number of its first line."""
    with open_bytes(path) as file:
        if unit == "line":
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
            return
        held: list[bytes] = []
        size, first = 0, 1
        for number, line in enumerate(file, start=1):
            if unit == "paragraph" and not line.strip():
                if held:
                    yield first, b"".join(held)
                held, size = [], 0
                continue
            if not held:
                first = number
            held.append(line)
            size += len(line)
            if size > _MOST_BYTES:
                raise ValueError(
                    f"{path}: a document of over {_MOST_BYTES >> 20} MiB\n"
                    "say where documents end: --unit paragraph (at empty lines) or --unit line"
                )
        if held:
            yield first, b"".join(held)


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError as missing:
        raise ValueError('Parquet needs the package pyarrow\ntype: pip install "slimlit[files]"') from missing
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except pyarrow.ArrowInvalid as problem:
        raise ValueError(f"{path} is no Parquet file: {str(problem).splitlines()[0][:200]}") from problem
