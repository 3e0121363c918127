"""The lower bound on epsilon: the formula by hand, and that it holds on mechanisms whose epsilon is known."""

import math
from itertools import pairwise

import numpy as np
import pytest

from slimlit.privacy.lower_bound import (
    RULES,
    Flags,
    Numbers,
    count_right,
    epsilon_lower_bound,
    p_value,
    permitted,
    refuted,
)


def tail(num: int, truth: float, least: int) -> float:
    return sum(math.comb(num, k) * truth**k * (1 - truth) ** (num - k) for k in range(max(0, least), num + 1))


@pytest.mark.parametrize(
    ("num", "right", "epsilon", "delta"), [(10, 9, 0.5, 0.0), (12, 8, 1.0, 1e-3), (5, 0, 2.0, 0.1)]
)
def test_the_p_value_is_the_theorems(num: int, right: int, epsilon: float, delta: float) -> None:
    truth = math.exp(epsilon) / (math.exp(epsilon) + 1)
    at = tail(num, truth, right)
    gains = [(tail(num, truth, right - i) - at) / i for i in range(1, right + 1)]
    wanted = at + 2 * 20 * delta * max(gains, default=0.0)
    assert p_value(20, num, right, epsilon, delta) == pytest.approx(min(1.0, wanted), rel=1e-12)


def test_all_guesses_right_refute_what_a_power_says() -> None:
    # truth ** 50 = 0.05: the epsilon of a coin that is right so often
    truth = 0.05 ** (1 / 50)
    assert refuted(50, 50, 50, 0.0, 0.05) == pytest.approx(math.log(truth / (1 - truth)), abs=2e-4)


def test_the_p_value_grows_with_epsilon_and_with_delta() -> None:
    for delta in (0.0, 1e-5, 1e-3, 2e-3):
        values = [p_value(200, 100, 80, epsilon, delta) for epsilon in np.linspace(0, 8, 60)]
        assert all(one <= other + 1e-15 for one, other in pairwise(values))
    assert p_value(200, 100, 80, 1.0, 1e-3) > p_value(200, 100, 80, 1.0, 1e-5)


def randomised_response(num: int, epsilon: float, random: np.random.Generator) -> tuple[Numbers, Flags]:
    """Each coin told with probability ``exp(epsilon) / (1 + exp(epsilon))``: as private as epsilon, and no more."""
    planted = random.random(num) < 0.5
    told = planted ^ (random.random(num) < 1 / (1 + math.exp(epsilon)))
    return told + 0.5 * random.random(num), planted


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
def test_the_bound_is_below_the_truth_in_95_of_100_runs(epsilon: float) -> None:
    random = np.random.default_rng(1)
    bounds = [epsilon_lower_bound(*randomised_response(200, epsilon, random), delta=1e-5).epsilon for _ in range(400)]
    wrong = sum(bound > epsilon for bound in bounds)
    assert wrong <= 20 + 3 * math.sqrt(400 * 0.05 * 0.95)


def test_the_bound_is_near_the_truth_with_many_canaries() -> None:
    random = np.random.default_rng(2)
    bounds = [epsilon_lower_bound(*randomised_response(20_000, 1.0, random), delta=1e-7).epsilon for _ in range(10)]
    assert np.mean(bounds) == pytest.approx(1.0, abs=0.08)


def test_without_privacy_the_bound_grows_with_the_number_of_canaries() -> None:
    random = np.random.default_rng(3)
    bounds = []
    for num in (20, 100, 500, 2500):
        planted = random.random(num) < 0.5
        bounds.append(epsilon_lower_bound(planted.astype(float), planted, delta=1e-7).epsilon)
    assert all(more > less + 0.5 for less, more in pairwise(bounds))
    assert bounds[0] > 0.5
    assert bounds[-1] > 5.5


def test_choosing_the_best_rule_is_paid_for() -> None:
    planted = np.arange(64) % 2 == 0
    found = epsilon_lower_bound(planted.astype(float), planted, delta=0.0)
    shares = [sum(rule) for rule in RULES]
    assert found.epsilon == pytest.approx(refuted(64, 48, 48, 0.0, 0.05 / len(RULES)), abs=1e-9)
    assert found.num_guesses == max(shares) * 64 == 48


def test_the_highest_are_called_in_and_the_lowest_out() -> None:
    scores, planted = np.array([3.0, 0.0, 2.0, 1.0]), np.array([True, True, False, False])
    assert count_right(scores, planted, 1, 0) == 1
    assert count_right(scores, planted, 2, 0) == 1
    assert count_right(scores, planted, 0, 1) == 0
    assert count_right(scores, planted, 0, 2) == 1
    assert count_right(scores, planted, 0, 0) == 0


def test_a_delta_that_gives_canaries_away_bounds_nothing() -> None:
    planted = np.arange(100) % 2 == 0
    assert epsilon_lower_bound(planted.astype(float), planted, delta=0.01).epsilon == 0.0


def test_no_canaries_and_no_confidence_are_refused() -> None:
    with pytest.raises(ValueError, match="0 scores"):
        epsilon_lower_bound(np.zeros(0), np.zeros(0, dtype=bool), delta=0.0)
    with pytest.raises(ValueError, match="confidence is 1"):
        epsilon_lower_bound(np.zeros(2), np.zeros(2, dtype=bool), delta=0.0, confidence=1.0)


def test_what_a_claim_permits_is_the_trade_off_of_epsilon_and_delta() -> None:
    false = np.array([0.0, 0.01, 0.5, 1.0])
    e = math.e
    wanted = [0.1, 0.01 * e + 0.1, 1 - (1 - 0.1 - 0.5) / e, 1.0]
    assert permitted(false, 1.0, 0.1) == pytest.approx(wanted, rel=1e-12)
    assert permitted(false, 0.0, 0.0) == pytest.approx(false)
    assert permitted(false, math.inf, 0.0) == pytest.approx(np.ones(4))
