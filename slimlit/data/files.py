"""Read labelled texts from files and folders of splits: CSV, TSV, JSON lines, Parquet; Hugging Face data sets; bundled texts."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from slimlit.text.clean import clean
from slimlit.text.compression import plain_name
from slimlit.text.downloads.bundles import BUNDLES
from slimlit.text.downloads.bundles import find as find_bundle
from slimlit.text.lines import Record, read_json_lines, read_table

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
ENDINGS = (*FORMATS, ".json")  # before that of a compression


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read; no label column is needed where texts are only to be labelled."""

    text: str = "text"
    pair: str | None = None
    label: str | None = "label"
    group: str | None = None

    def needed(self) -> list[str]:
        """The columns that must be there."""
        return [name for name in (self.text, self.pair, self.label) if name is not None]


@dataclass
class Texts:
    """Cleaned texts with their labels as words, and what was left out on the way."""

    texts: list[str] = field(default_factory=list)
    pairs: list[str] | None = None
    labels: list[str] = field(default_factory=list)
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def __add__(self, other: "Texts") -> "Texts":
        """Those and others after them, without what was left out."""
        pairs = None if self.pairs is None else [*self.pairs, *(other.pairs or [])]
        return Texts([*self.texts, *other.texts], pairs, [*self.labels, *other.labels])

    def as_texts(self) -> "Texts":
        """Themselves, as :class:`~slimlit.data.parts.Parts` deals them out."""
        return self

    def take(self, rows: Iterable[int]) -> "Texts":
        """Those rows, in that order."""
        chosen = list(rows)
        pairs = None if self.pairs is None else [self.pairs[row] for row in chosen]
        labels = [self.labels[row] for row in chosen] if self.labels else []
        groups = [self.groups[row] for row in chosen] if self.groups else []
        return Texts([self.texts[row] for row in chosen], pairs, labels, groups=groups)


def read_texts(source: str, columns: Columns, split: str = "train") -> Texts:
    """The texts of a file, folder, bundled name or hub name.

    Rows with an empty text, pair or label are counted in ``num_empty``; rows that cannot be read are described in
    ``broken``, by line where the format has lines.

    Args:
        source: what to read. A saved data set with several splits gives ``split``, and so does what ``slimlit prepare`` wrote.
        columns: the names of its columns.
        split: the wanted part of a data set that has parts.

    Raises:
        ValueError: no such file, no such column, an unknown format, or nothing readable in it.
    """
    texts = Texts(pairs=None if columns.pair is None else [])
    seen: list[str] = []
    records = iter(read_records(source, split, texts.broken))
    first = list(islice(records, 1000))  # JSON lines may leave out what is empty
    if first:
        seen = list(dict.fromkeys(name for record in first for name in record))
        _check_columns(source, columns, seen)
    for record in chain(first, records):
        values = [clean(_as_word(record.get(name))) for name in columns.needed()]
        if not all(values):
            texts.num_empty += 1
            continue
        texts.texts.append(values[0])
        if texts.pairs is not None:
            texts.pairs.append(values[1])
        if columns.label is not None:
            texts.labels.append(values[-1])
        if columns.group is not None:
            texts.groups.append(_as_word(record.get(columns.group)))
    if not len(texts):
        found = f"{texts.num_empty} empty and {len(texts.broken)} broken rows" if seen or texts.broken else "no rows"
        found += f" ({texts.broken[0]})" if texts.broken else ""
        raise ValueError(f"no text in {source}: {found}\nexpected rows with columns {', '.join(columns.needed())}")
    return texts


def _as_word(value: Any) -> str:
    if value is None or value != value:  # not a number
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | dict):
        raise ValueError(f"a cell holds a {type(value).__name__}: {str(value)[:60]}\nexpected text or a number")
    return str(value)


def _check_columns(source: str, columns: Columns, seen: list[str]) -> None:
    for name in [*columns.needed(), *([] if columns.group is None else [columns.group])]:
        if name not in seen:
            near = difflib.get_close_matches(name, seen, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            roles = {columns.text: "text_column", columns.pair: "pair_column", columns.label: "label_column"}
            role = roles.get(name, "group_column")
            raise ValueError(
                f"no column {name!r} in {source}\nit has: {', '.join(map(str, seen))}\n{hint}name it: data.init_args.{role}: COLUMN"
            )


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
        return chain.from_iterable(_read_all(files, split, broken)) if files else _saved(path, split)
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


def _read_all(files: Iterable[Path], split: str, broken: list[str]) -> Iterator[Iterator[Record]]:
    for file in files:
        here: list[str] = []
        yield read_records(str(file), split, here)
        broken += [f"{file.name}, {what}" for what in here]


def _text_bundles() -> str:
    return ", ".join(name for name, bundle in BUNDLES.items() if bundle.main)


def _parquet(path: Path) -> Iterator[Record]:
    datasets = _datasets()
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as problem:
        raise ValueError(f"{path} is no Parquet file: {str(problem).splitlines()[0][:200]}") from problem
    return _part(datasets.Dataset(table), str(path), "train")


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
