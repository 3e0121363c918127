"""``read_windows``: what there is to predict, some rows at a time, in memory that does not grow with the file."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from slimlit.data.records import Numbered, Opened

NUM_ROWS = 16_384
NUM_CHARACTERS = 16_000_000

Rows = npt.NDArray[np.int64]


@runtime_checkable
class Found(Protocol):
    """The rows of a file, and what was left out of it."""

    num_empty: int
    broken: list[str]

    def __len__(self) -> int: ...


@runtime_checkable
class Windowed(Protocol):
    """A data module whose split ``predict`` can be read a window at a time."""

    splits: dict[str, Any]
    report: dict[str, Any]

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read."""

    def gather(self, rows: list[Numbered], name: str) -> Any:
        """What those rows hold."""

    def add_split(self, name: str, found: Any) -> None:
        """Tokenise what was found, as the split of that name."""

    def rows_of_examples(self, name: str, found: Any) -> Rows:
        """The number in the file of each example's row."""

    def note_left_out(self, name: str, num_rows: int, num_empty: int, num_broken: int, broken: list[str]) -> None:
        """Report what was read of a file."""


def read_windows(data: Windowed) -> Iterator[Rows]:
    """Each window in turn as the split ``predict`` of a data module, with the number in the file of each example's row.

    Guarantees:
        - no more than one window is held: ``NUM_ROWS`` rows, fewer where they are long;
        - the report counts all windows read so far;
        - a window without an example is counted, and not given.

    Raises:
        ValueError: the file is not as expected, or there is nothing in it to predict.
    """
    opened = data.open_rows("predict")
    total: dict[str, Any] = {}
    num_read = num_empty = num_own = num_tokens = num_examples = 0
    first: list[str] = []
    for window in opened.windows(NUM_ROWS, NUM_CHARACTERS):
        found = data.gather(window, "predict")
        num_read, num_empty, num_own = num_read + len(found), num_empty + found.num_empty, num_own + len(found.broken)
        first = [*first, *found.broken][:5]
        if len(found):
            data.report["predict"] = {}
            data.add_split("predict", found)
            tokens = int(data.splits["predict"].lengths.sum())
            total = _added(total, data.report["predict"], num_tokens / max(1, num_tokens + tokens))
            num_tokens += tokens
            data.report["predict"] = total
        num_broken = len(opened.broken) + num_own
        data.note_left_out("predict", num_read, num_empty, num_broken, [*opened.broken[:5], *first][:5])
        if len(found) and len(data.splits["predict"]):
            num_examples += len(data.splits["predict"])
            yield data.rows_of_examples("predict", found)
    if not num_examples:
        why = [f"{num_empty} empty and {len(opened.broken) + num_own} broken rows"]
        why += [f"{count} {name}" for name, count in total.items() if "left out" in name and count]
        raise ValueError(f"there is nothing to predict: {', '.join([*why, *opened.broken[:1], *first[:1]])}")


def _added(one: Mapping[str, Any], other: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Two reports as one: counts are added, shares (of tokens) averaged.

    Args:
        share: of the first among all tokens.
    """
    whole: dict[str, Any] = {}
    for name in dict.fromkeys([*one, *other]):
        left, right = one.get(name), other.get(name)
        if isinstance(left, Mapping) or isinstance(right, Mapping):
            whole[name] = _added(left or {}, right or {}, share)
        elif isinstance(left, float) or isinstance(right, float):
            whole[name] = round((left or 0.0) * share + (right or 0.0) * (1.0 - share), 4)
        elif isinstance(left, int) or isinstance(right, int):
            whole[name] = (left or 0) + (right or 0)
        else:
            whole[name] = right if left is None else left
    return whole
