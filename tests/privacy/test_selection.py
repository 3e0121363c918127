"""Repeat and select costs more than one run, and much less than all of them."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from slimlit.privacy.accounting import NoisySteps, epsilon_of
from slimlit.privacy.selection import _ORDERS, epsilon_of_best, renyi

STEPS = NoisySteps(1.1, 0.02, 1500)


def test_renyi_divergences_are_those_of_the_densities() -> None:
    x = np.linspace(-40.0, 60.0, 400_001)
    mixed = np.logaddexp(np.log(0.9) + norm.logpdf(x, 0, 2.0), np.log(0.1) + norm.logpdf(x, 1, 2.0))
    curve = renyi(NoisySteps(2.0, 0.1, 1))
    for order in (2, 5, 17):
        integral = logsumexp(order * mixed - (order - 1) * norm.logpdf(x, 0, 2.0)) + np.log(x[1] - x[0])
        assert curve[list(_ORDERS).index(order)] == pytest.approx(integral / (order - 1), rel=1e-6)


def test_ten_runs_cost_less_than_their_composition() -> None:
    one, best = epsilon_of([STEPS], 1e-5), epsilon_of_best([STEPS], 1e-5, 10.0)
    composed = epsilon_of([NoisySteps(1.1, 0.02, 15000)], 1e-5)
    assert one < best < 0.8 * composed
    assert best < epsilon_of_best([STEPS], 1e-5, 100.0)
    with pytest.raises(ValueError, match="number of runs"):
        epsilon_of_best([STEPS], 1e-5, 0.0)


def test_it_covers_randomised_response_repeated() -> None:
    # the best of K runs of a mechanism with known epsilon never exceeds the bound: Gaussian mean, score is the value
    stage = NoisySteps(2.0, 1.0, 1)
    bound = epsilon_of_best([stage], 1e-3, 5.0)
    x = np.linspace(-12.0, 14.0, 20001)

    def best(shift: float) -> np.ndarray:  # density of the largest of Poisson(5) draws
        cdf = norm.cdf(x, shift, 2.0)
        return 5 * norm.pdf(x, shift, 2.0) * np.exp(-5 * (1 - cdf))

    p, q = best(1.0), best(0.0)
    for first, second in ((p, q), (q, p)):
        assert np.trapezoid(np.maximum(first - np.exp(bound) * second, 0), x) <= 1e-3
