"""What random orders gain by luck: how many are drawn, and what a map has to gain to be told from them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

LUCKY = 0.05  # share of the random orders that may be called better than random
_LEAST, _TOGETHER = (
    3,
    59,
)  # random orders of an answer; and at least of all answers together, of which three may be lucky


def num_orders(num_answers: int) -> int:
    """Random orders of each answer: few of many answers, many of few, so that what luck gives is known of all together."""
    return max(_LEAST, -(-_TOGETHER // max(1, num_answers)))


def find_luck(gains: Sequence[Float[np.ndarray, "draws batch"]]) -> float:
    """The gain that no more than :data:`LUCKY` of random orders exceed, of which these are some; infinite where they are too few.

    Guarantees:
        - one more random order, of an answer drawn like these, gains more with a probability of :data:`LUCKY` at most.
    """
    drawn = np.sort(np.concatenate([part.ravel() for part in gains]) if gains else np.zeros(0))
    allowed = int(LUCKY * (len(drawn) + 1))
    return float(drawn[-allowed]) if allowed else float("inf")
