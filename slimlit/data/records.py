"""Read the rows of a source, each with its number: CSV, TSV, JSON lines, Parquet; folders of splits; data sets; bundled texts."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from slimlit.text.compression import plain_name
from slimlit.text.downloads.bundles import BUNDLES
from slimlit.text.downloads.bundles import find as find_bundle
from slimlit.text.lines import Record, read_json_lines, read_table

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
ENDINGS = (*FORMATS, ".json")  # before that of a compression

Numbered = tuple[int, Record]
"""A record and the number of its row in the source, from 0."""


class Opened:
    """Rows of a source as they are read, and in ``broken`` what could not be read so far.

    Args:
        read: gives the rows, and describes in the list it is called with those that cannot be read.
    """

    def __init__(self, read: Callable[[list[str]], Iterator[Numbered]]) -> None:
        self.broken: list[str] = []
        self.rows = read(self.broken)

    @classmethod
    def of(cls, source: str, split: str) -> "Opened":
        """The rows of a file, folder, bundled name or hub name."""
        return cls(lambda broken: number(read_records(source, split, broken), broken))

    def columns(self) -> list[str]:
        """The names of the columns of the first 1000 rows: JSON lines may leave out what is empty."""
        first = list(islice(self.rows, 1000))
        self.rows = chain(first, self.rows)
        return list(dict.fromkeys(name for _, record in first for name in record))

    def windows(self, num_rows: int, num_characters: int) -> Iterator[list[Numbered]]:
        """The rows, some at a time: so many, or fewer where they are long."""
        window: list[Numbered] = []
        room = num_characters
        for row in self.rows:
            window.append(row)
            room -= _size(row[1])
            if len(window) == num_rows or room <= 0:
                yield window
                window, room = [], num_characters
        if window:
            yield window


def number(records: Iterator[Record], broken: list[str], start: int = 0) -> Iterator[Numbered]:
    """Each record with the number of its row, from ``start``; rows that cannot be read have numbers too."""
    before = len(broken)
    for place, record in enumerate(records, start):
        yield place + len(broken) - before, record


def _size(value: Any) -> int:
    """Characters in a record, about."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list | tuple) else 1


def read_records(source: str, split: str, broken: list[str]) -> Iterator[Record]:
    """The rows of a file, folder, bundled name or hub name, by column; what cannot be read is described in ``broken``.

    Raises:
        ValueError: there is no such thing, or nothing that has rows.
    """
    path = Path(source).expanduser()
    if not path.exists() and source in BUNDLES:
        path = find_bundle(source)
    plain = plain_name(path.name)
    if path.is_file():
        if plain.endswith((".csv", ".tsv")):
            return read_table(path, broken)
        if plain.endswith((".jsonl", ".json")):
            return read_json_lines(path, broken)
        if plain.endswith(".parquet"):
            return _parquet(path)
        raise ValueError(
            f"{source} has no known format\nexpected a name ending in {', '.join(FORMATS)} (or compressed: .gz, .bz2, .xz, .zst), or a folder"
        )
    if path.is_dir():
        files = split_files(source, split)
        return _read_all(files, split, broken) if files else _saved(path, split)
    if path.suffix or source.startswith((".", "/", "~")) or source.count("/") > 1:
        names = [file.name for file in path.parent.glob("*")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(path.name, names, n=1)
        hint = f"did you mean {path.parent / near[0]}? " if near else ""
        raise ValueError(
            f"no such file: {source}\n{hint}expected a file, a saved data set, a hub name or: {_text_bundles()}"
        )
    return _hub(source, split)


def split_files(source: str, split: str, endings: tuple[str, ...] = ENDINGS) -> list[Path]:
    """The files of a split in a folder, in order: ``train.csv``, ``train-00000.jsonl`` and more, all in a subfolder ``train``, or ``part-00000.jsonl`` and more."""
    folder = Path(source).expanduser()
    if not folder.is_dir() or (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        return []  # what save_to_disk wrote has names of its own
    beside = [file for file in folder.iterdir() if re.match(rf"{split}[.\-_]", file.name)]
    within = (folder / split).iterdir() if (folder / split).is_dir() else []
    parts = [file for file in folder.iterdir() if file.name.startswith("part-")]
    for files in (beside, within, parts):
        found = sorted(file for file in files if plain_name(file.name).endswith(endings))
        if found:
            return found
    return []


def _read_all(files: Iterable[Path], split: str, broken: list[str]) -> Iterator[Record]:
    for file in files:
        here: list[str] = []
        for record in chain(read_records(str(file), split, here), [None]):
            broken += [f"{file.name}, {what}" for what in here]  # before the row that follows: rows are numbered by it
            here.clear()
            if record is not None:
                yield record


def _text_bundles() -> str:
    return ", ".join(name for name, bundle in BUNDLES.items() if bundle.main)


def _parquet(path: Path) -> Iterator[Record]:
    datasets = _datasets()
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        for some in file.iter_batches(batch_size=1000):
            table = pyarrow.Table.from_batches([some], schema=file.schema_arrow)
            yield from _part(datasets.Dataset(table), str(path), "train")
    except pyarrow.ArrowInvalid as problem:
        raise ValueError(f"{path} is no Parquet file: {str(problem).splitlines()[0][:200]}") from problem


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as missing:
        raise ValueError('this format needs the package datasets\ntype: pip install "slimlit[files]"') from missing
    return datasets


def _saved(folder: Path, split: str) -> Iterator[Record]:
    datasets = _datasets()
    try:
        return _part(datasets.load_from_disk(str(folder)), str(folder), split)
    except FileNotFoundError as problem:
        raise ValueError(
            f"{folder} is no saved data set, and has no file of the split {split!r}\n"
            f"expected a folder written by save_to_disk, or with {split}.jsonl, or {split}/part-00000.jsonl as slimlit prepare writes"
        ) from problem


def _hub(name: str, split: str) -> Iterator[Record]:
    datasets = _datasets()
    try:
        return _part(datasets.load_dataset(name), name, split)
    except (OSError, ConnectionError, datasets.exceptions.DatasetsError) as problem:
        near = difflib.get_close_matches(name, BUNDLES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no text called {name!r}: {str(problem).splitlines()[0][:160]}\n"
            f"{hint}expected a file, a saved data set, a hub name or: {_text_bundles()}"
        ) from problem


def _part(loaded: Any, source: str, split: str) -> Iterator[Record]:
    """The wanted split, with class numbers turned into the names the data set gives them."""
    if isinstance(loaded, dict):
        if split not in loaded:
            raise ValueError(f"{source} has no split {split!r}\nit has: {', '.join(loaded)}")
        loaded = loaded[split]
    kinds = {
        column: getattr(feature, "feature", feature) for column, feature in loaded.features.items()
    }  # of lists too
    names = {column: kind.names for column, kind in kinds.items() if hasattr(kind, "names")}
    for record in loaded:
        yield {column: _class_name(names.get(column), value) for column, value in record.items()}


def _class_name(names: list[str] | None, value: Any) -> Any:
    if names is None or not isinstance(value, int | list):
        return value
    if isinstance(value, list):
        return [_class_name(names, one) for one in value]
    return names[value] if 0 <= value < len(names) else None
