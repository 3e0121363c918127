"""``is_default``: texts where no word matters, so that no map of them should be drawn."""

import numpy as np
from jaxtyping import Bool, Int
from torch import Tensor

from slimlit.explain.exam.cases import Cases, read_cases
from slimlit.explain.exam.faithfulness import Removal, read_removals
from slimlit.explain.exam.removal import count_units, find_units
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
    known: Removal | None = None,
) -> Bool[np.ndarray, " batch"]:
    """Whether the answer is the network's default: it says it as surely without these words as with them.

    Taken away are all words at once, then, where that changes nothing, each word alone and each beginning of the text. A
    text with no word to take away has its answer by default.

    Guarantees:
        - where it is true, none of these removals changes the answer's probability by more than ``tolerance``.

    Args:
        network: whose answers they are.
        batch: texts.
        question: what is asked of each.
        removable: inputs that may be taken away.
        words: the word each input belongs to.
        blank: what is read in the stead of an input taken away.
        tolerance: of probability.
        known: what :func:`~slimlit.explain.exam.faithfulness.faithfulness` found of the probability with every word and with none;
            None reads it.
    """
    units = find_units(removable, words)
    counts = count_units(units)
    if known is None:
        known = read_removals(network, batch, question, units, [np.zeros_like(units)], [1.0], blank)[0]["probability"]
    found = np.abs(known.whole - known.empty) <= tolerance
    candidates = np.flatnonzero(found & (counts > 1))
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
        said = read_cases(network, batch, question, Cases(rows, hidden), blank)["probability"]
        found[rows[np.abs(known.whole[rows] - said) > tolerance]] = False
    return np.asarray(found)
