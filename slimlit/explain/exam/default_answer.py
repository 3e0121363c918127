"""``is_default``: texts where no word matters, so that no map of them should be drawn."""

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor

from slimlit.explain.exam.removal import Cases, count_units, find_units, read_cases
from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

TOLERANCE = 0.01  # of probability: a change that no reader would call one


def is_default(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    removable: Bool[Tensor, "batch inputs"],
    words: Int[Tensor, "batch inputs"] | None = None,
    blank: int | None = None,
    tolerance: float = TOLERANCE,
) -> Bool[np.ndarray, " batch"]:
    """Whether the answer is the network's default: it says it as surely without these words as with them.

    Taken away are all words at once, then, where that changes nothing, each word alone and each beginning of the text. A
    text with no word to take away has its answer by default.

    Guarantees:
        - where it is true, none of these removals changes the answer's probability by more than ``tolerance``.
    """
    units = find_units(removable, words)
    counts = count_units(units)

    def change(rows: Int[np.ndarray, " cases"], hidden: Bool[np.ndarray, "cases inputs"]) -> Bool[np.ndarray, " cases"]:
        """Whether the probability moves, case by case."""
        cases = Cases(np.concatenate([rows, rows]), np.concatenate([np.zeros_like(hidden), hidden]))
        whole, left = read_cases(network, batch, question, cases, blank)["probability"].reshape(2, len(rows))
        return np.asarray(np.abs(whole - left) > tolerance)

    everything = np.arange(len(units))
    found = ~change(everything, units >= 0)
    candidates = everything[found & (counts > 1)]
    rows = np.repeat(candidates, 2 * counts[candidates])
    hidden = np.zeros((len(rows), units.shape[1]), dtype=bool)
    start = 0
    for row in candidates.tolist():
        numbers = np.arange(counts[row])[:, None]
        ends = start + counts[row], start + 2 * counts[row]
        hidden[start : ends[0]] = units[row] == numbers
        hidden[ends[0] : ends[1]] = (units[row] >= 0) & (units[row] <= numbers)
        start = ends[1]
    if len(rows):
        found[rows[change(rows, hidden)]] = False
    return found
