"""Read texts and what is to be written of them: from files of two columns, whose cells may hold several references."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from slimlit.data.files import Texts, read_records
from slimlit.text.clean import clean


@dataclass(frozen=True)
class PairColumns:
    """The names of the columns: texts, references of what is to be written, and what is learned where that is another."""

    source: str = "source"
    target: str = "target"
    learn: str | None = None


@dataclass
class PairTexts:
    """Cleaned texts, what is to be written of each, its references, and what was left out on the way."""

    texts: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    references: list[list[str]] = field(default_factory=list)
    num_empty: int = 0
    broken: list[str] = field(default_factory=list)

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
    found = PairTexts()
    records = iter(read_records(source, split, found.broken))
    first = list(islice(records, 1000))  # JSON lines may leave out what is empty
    seen = list(dict.fromkeys(column for record in first for column in record))
    learned = columns.learn or columns.target
    needed = {"source_column": columns.source}
    if split != "predict":
        needed["target_column" if columns.learn is None else "learn_column"] = learned
    for role, column in needed.items():
        if first and column not in seen:
            raise ValueError(
                f"no column {column!r} in {source}\nit has: {', '.join(map(str, seen))}\nname it: data.init_args.{role}: COLUMN"
            )
    for record in chain(first, records):
        text = next(_texts(record.get(columns.source)), "")
        target = next(_texts(record.get(learned)), "")
        if not text or (split != "predict" and not target):
            found.num_empty += 1
            continue
        found.texts.append(text)
        found.targets.append(target)
        found.references.append(list(_texts(record.get(columns.target))))
    if not len(found):
        raise ValueError(
            f"no text in {source}: {found.num_empty} empty and {len(found.broken)} broken rows\n"
            f"expected rows with columns {', '.join(needed.values())}"
        )
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
