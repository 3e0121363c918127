"""Rank correlation, against Spearman's by scipy and at its edges."""

import numpy as np
import pytest
from scipy import stats

from slimlit.explain.exam import rank_correlation


def test_rank_correlation_is_spearmans_with_equal_values_too() -> None:
    random = np.random.default_rng(0)
    for _ in range(5):
        one, other = random.integers(0, 6, 20).astype(float), random.normal(size=20)
        assert rank_correlation(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)


def test_maps_that_say_nothing_are_alike_and_like_no_other() -> None:
    flat, told = np.full(4, 0.25), np.arange(4.0)
    assert rank_correlation(flat, flat) == 1
    assert rank_correlation(flat, told) == rank_correlation(told, flat) == 0
    assert rank_correlation(told, -told) == pytest.approx(-1)
