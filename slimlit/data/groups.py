"""``number_groups``: whose each training example is (an author's, a patient's), by a column of its file."""

import difflib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slimlit.data.files import as_word
from slimlit.data.records import Opened


def number_groups(opened: Opened, rows: Sequence[int], column: str, source: str) -> npt.NDArray[np.int64]:
    """The group of each of those rows of a source, numbered from 0.

    Raises:
        ValueError: no such column, or a row without a group.
    """
    seen = opened.columns()
    if column not in seen:
        near = difflib.get_close_matches(column, seen, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no column {column!r} in {source}\n"
            f"it has: {', '.join(map(str, seen))}\n{hint}name the one that tells whose each is: DifferentialPrivacy.group_column"
        )
    names = {row: as_word(record.get(column)) for row, record in opened.rows}
    found = [names[row] for row in rows]
    if not all(found):
        raise ValueError(
            f"{found.count('')} rows of {source} have nothing in column {column!r}\n"
            "give each a group: who is protected must be known for every text"
        )
    numbers: npt.NDArray[np.int64] = np.unique(np.asarray(found, dtype=object).astype(str), return_inverse=True)[1]
    return numbers
