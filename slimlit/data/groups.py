"""``number_groups``: whose each training example is (an author's, a patient's), by a column of its file."""

import difflib
from array import array
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from slimlit.data.files import as_word
from slimlit.data.parts import Parts, Rows
from slimlit.data.records import Opened


class FromFile(Rows, Protocol):
    """Rows that know which of a file they were."""

    rows: "array[int]"


R = TypeVar("R", bound=FromFile)


def number_groups(parts: Parts[R], whole: R, opened: Opened, column: str) -> npt.NDArray[np.int64]:
    """The group of each training example, numbered from 0.

    Args:
        parts: that deal the training rows out.
        whole: all rows of the training file that can be learned from.
        opened: the same file, to be read for the column.
        column: that names the group.

    Raises:
        ValueError: no such column, or a row without a group.
    """
    source, seen = parts.source("train"), opened.columns()
    if column not in seen:
        near = difflib.get_close_matches(column, seen, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no column {column!r} in {source}\n"
            f"it has: {', '.join(map(str, seen))}\n{hint}name the one that tells whose each is: DifferentialPrivacy.group_column"
        )
    names = {row: as_word(record.get(column)) for row, record in opened.rows}
    found = [names[whole.rows[row]] for row in parts.rows(whole)["train"]]
    if not all(found):
        raise ValueError(
            f"{found.count('')} rows of {source} have nothing in column {column!r}\n"
            "give each a group: who is protected must be known for every text"
        )
    numbers: npt.NDArray[np.int64] = np.unique(np.asarray(found, dtype=object).astype(str), return_inverse=True)[1]
    return numbers
