"""Read labelled texts from files and folders of splits, data sets and bundled texts."""

import difflib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from slimlit.data.records import Numbered, Opened
from slimlit.text.clean import clean


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read; no label column is needed where texts are only to be labelled."""

    text: str = "text"
    pair: str | None = None
    label: str | None = "label"

    def needed(self) -> list[str]:
        """The columns that must be there."""
        return [name for name in (self.text, self.pair, self.label) if name is not None]


@dataclass
class Texts:
    """Cleaned texts with their labels as words, the row each was read from, and what was left out on the way."""

    texts: list[str] = field(default_factory=list)
    pairs: list[str] | None = None
    labels: list[str] = field(default_factory=list)
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))

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
        return Texts([self.texts[row] for row in chosen], pairs, labels)


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
    opened = open_texts(source, columns, split)
    texts = gather_texts(opened.rows, columns)
    texts.broken = opened.broken
    if not len(texts):
        found = f"{texts.num_empty} empty and {len(texts.broken)} broken rows"
        found = found if texts.num_empty or texts.broken else "no rows"
        found += f" ({texts.broken[0]})" if texts.broken else ""
        raise ValueError(f"no text in {source}: {found}\nexpected rows with columns {', '.join(columns.needed())}")
    return texts


def open_texts(source: str, columns: Columns, split: str) -> Opened:
    """The rows of a source, which has those columns.

    Raises:
        ValueError: no such source, or no such column.
    """
    opened = Opened.of(source, split)
    seen = opened.columns()
    if seen:
        check_columns(source, columns, seen)
    return opened


def gather_texts(rows: Iterable[Numbered], columns: Columns) -> Texts:
    """The texts of rows; those with an empty text, pair or label are counted."""
    texts = Texts(pairs=None if columns.pair is None else [])
    needed = columns.needed()
    for row, record in rows:
        values = [clean(as_word(record.get(name))) for name in needed]
        if not all(values):
            texts.num_empty += 1
            continue
        texts.rows.append(row)
        texts.texts.append(values[0])
        if texts.pairs is not None:
            texts.pairs.append(values[1])
        if columns.label is not None:
            texts.labels.append(values[-1])
    return texts


def as_word(value: Any) -> str:
    """A cell as a word: a number without its needless point, nothing where there is nothing."""
    if value is None or value != value:  # not a number
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple | dict):
        raise ValueError(f"a cell holds a {type(value).__name__}: {str(value)[:60]}\nexpected text or a number")
    return str(value)


def check_columns(source: str, columns: Columns, seen: list[str]) -> None:
    """The wanted columns are among those seen.

    Raises:
        ValueError: one is not.
    """
    for name in columns.needed():
        if name not in seen:
            near = difflib.get_close_matches(name, seen, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            roles = {columns.text: "text_column", columns.pair: "pair_column", columns.label: "label_column"}
            raise ValueError(
                f"no column {name!r} in {source}\nit has: {', '.join(map(str, seen))}\n{hint}name it: data.init_args.{roles[name]}: COLUMN"
            )
