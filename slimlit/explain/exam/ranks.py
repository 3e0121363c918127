"""``rank_correlation``: how alike two maps order the same words, and what it is by chance."""

import numpy as np
from jaxtyping import Float


def rank_correlation(one: Float[np.ndarray, " words"], other: Float[np.ndarray, " words"]) -> float:
    """Spearman's: the correlation of the ranks, equal values sharing their mean rank.

    Two maps that both say nothing (all values equal) are the same: 1; if only one says nothing they have nothing in
    common: 0.
    """
    first, second = _ranks(one), _ranks(other)
    if not first.any() or not second.any():
        return float(first.any() == second.any())
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def chance_likeness(num_words: int, num_draws: int = 400) -> float:
    """The mean absolute rank correlation of two random orders of so many words: about ``0.8 / sqrt(num_words - 1)``."""
    random = np.random.default_rng(num_words)
    drawn = np.argsort(random.random((num_draws, num_words)), axis=1) - (num_words - 1) / 2
    straight = np.arange(num_words) - (num_words - 1) / 2
    return float(np.abs(drawn @ straight).mean() / (straight @ straight))


def _ranks(values: Float[np.ndarray, " words"]) -> Float[np.ndarray, " words"]:
    """Ranks about their mean."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = ends - (counts - 1) / 2
    return np.asarray(middle[places.reshape(-1)] - (len(values) + 1) / 2)
