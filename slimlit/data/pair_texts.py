"""Read texts and what is to be written of them: from files of two columns, whose cells may hold several references."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slimlit.data.files import Texts
from slimlit.data.records import Numbered, Opened
from slimlit.text.clean import clean


@dataclass(frozen=True)
class PairColumns:
    """The names of the columns: texts, references of what is to be written, and what is learned where that is another."""

    source: str = "source"
    target: str = "target"
    learn: str | None = None


@dataclass
class PairTexts:
    """Cleaned texts, what is to be written of each, its references, the row it was read from, and what was left out."""

    texts: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    references: list[list[str]] = field(default_factory=list)
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("q"))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int]) -> "PairTexts":
        """Those rows, in that order."""
        targets, references = [self.targets[row] for row in rows], [self.references[row] for row in rows]
        return PairTexts([self.texts[row] for row in rows], targets, references)

    def as_texts(self) -> Texts:
        """The texts that something is written of; those that are alike fall into one part."""
        return Texts(self.texts, labels=[""] * len(self.texts))


def read_pairs(source: str, columns: PairColumns, split: str) -> PairTexts:
    """The rows of a file, folder or hub name; of split ``predict``, also those of which nothing is to be written.

    Rows with an empty text, or nothing to write, are counted in ``num_empty``; rows that cannot be read are described in ``broken``.

    Raises:
        ValueError: no such file, no such column, or nothing readable in it.
    """
    opened = open_pairs(source, columns, split)
    found = gather_pairs(opened.rows, columns, split)
    found.broken = opened.broken
    if not len(found):
        raise ValueError(
            f"no text in {source}: {found.num_empty} empty and {len(found.broken)} broken rows\n"
            f"expected rows with columns {', '.join(_needed(columns, split).values())}"
        )
    return found


def open_pairs(source: str, columns: PairColumns, split: str) -> Opened:
    """The rows of a source, which has those columns.

    Raises:
        ValueError: no such source, or no such column.
    """
    opened = Opened.of(source, split)
    seen = opened.columns()
    for role, column in _needed(columns, split).items():
        if seen and column not in seen:
            raise ValueError(
                f"no column {column!r} in {source}\nit has: {', '.join(map(str, seen))}\nname it: data.init_args.{role}: COLUMN"
            )
    return opened


def _needed(columns: PairColumns, split: str) -> dict[str, str]:
    needed = {"source_column": columns.source}
    if split != "predict":
        needed["target_column" if columns.learn is None else "learn_column"] = columns.learn or columns.target
    return needed


def gather_pairs(rows: Iterable[Numbered], columns: PairColumns, split: str) -> PairTexts:
    """The texts of rows, and what is to be written of each; those that lack what the split needs are counted."""
    found = PairTexts()
    for row, record in rows:
        text = next(_texts(record.get(columns.source)), "")
        target = next(_texts(record.get(columns.learn or columns.target)), "")
        if not text or (split != "predict" and not target):
            found.num_empty += 1
            continue
        found.rows.append(row)
        found.texts.append(text)
        found.targets.append(target)
        found.references.append(list(_texts(record.get(columns.target))))
    return found


def _texts(cell: Any) -> Iterator[str]:
    """The texts of a cell, which may be a list of them."""
    for value in cell if isinstance(cell, list | tuple | np.ndarray) else [cell]:
        if value is None or value != value:  # not a number
            continue
        if isinstance(value, list | tuple | dict):
            raise ValueError(
                f"a cell holds a {type(value).__name__}: {str(value)[:60]}\nexpected text, or a list of texts"
            )
        text = clean(str(value))
        if text:
            yield text
