"""``epsilon_lower_bound``: what one trained model says, at least, of the epsilon it was trained with; from guesses about canaries."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

Numbers = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]
RULES = ((0.0, 1 / 16), (0.0, 1 / 4), (1 / 16, 1 / 16), (1 / 4, 1 / 4), (3 / 8, 3 / 8))
"""Shares of the canaries called in (the highest scores) and out (the lowest); fixed here, before any run is seen."""
_MOST = 30.0  # epsilon beyond which nobody's canaries could tell


@dataclass(frozen=True)
class LowerBound:
    """The bound, and the guesses behind it.

    Args:
        epsilon: with the confidence asked for, training was not (epsilon', delta)-private for any epsilon' below.
        delta: that delta.
        confidence: that the bound holds, over all the rules together.
        num_canaries: canaries whose coins were guessed at or abstained from.
        num_guesses: guesses of the rule that gives the bound.
        num_right: how many of these were right.
    """

    epsilon: float
    delta: float
    confidence: float
    num_canaries: int
    num_guesses: int
    num_right: int


def epsilon_lower_bound(scores: Numbers, planted: Flags, delta: float, confidence: float = 0.95) -> LowerBound:
    """The largest epsilon that the guesses refute, by the best of :data:`RULES`, each tested at its share of the error.

    A rule calls the highest scores in and the lowest out, and abstains from those between. The rules are a fixed list, and
    each is tested at ``(1 - confidence) / len(RULES)`` (Bonferroni), so that choosing the best costs no confidence.

    Guarantees:
        - where training is (epsilon, delta)-private and each canary was put in by a fair coin of its own, the bound is above
          epsilon with a probability of at most ``1 - confidence``, whatever the scores are made of but the coins;
        - a lower bound: never says that a model is private.

    Args:
        scores: one number a canary, high where it seems to have been trained on.
        planted: whether it was.
        delta: of the claim that is tested.
        confidence: that the bound holds.

    Raises:
        ValueError: no canaries, or a confidence that is none.
    Source: Steinke, Nasr, Jagielski 2023, arXiv:2305.08846, Algorithm 1 and Theorem 5.2.
    """
    if not len(scores) or len(scores) != len(planted):
        raise ValueError(f"{len(scores)} scores for {len(planted)} canaries; expected one for each, and some")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; expected a probability")
    num_canaries = len(scores)
    found = []
    for share_in, share_out in RULES:
        num_in, num_out = math.floor(share_in * num_canaries), math.floor(share_out * num_canaries)
        right = count_right(scores, planted, num_in, num_out)
        epsilon = refuted(num_canaries, num_in + num_out, right, delta, (1 - confidence) / len(RULES))
        found.append(LowerBound(epsilon, delta, confidence, num_canaries, num_in + num_out, right))
    return max(found, key=lambda one: (one.epsilon, one.num_guesses))


def count_right(scores: Numbers, planted: Flags, num_in: int, num_out: int) -> int:
    """How many guesses are right, where the ``num_in`` highest scores are called in and the ``num_out`` lowest out."""
    order = np.argsort(scores, kind="stable")
    called_in, called_out = order[len(order) - num_in :], order[:num_out]
    return int(planted[called_in].sum() + (~planted[called_out]).sum())


def refuted(num_canaries: int, num_guesses: int, num_right: int, delta: float, error: float) -> float:
    """The largest epsilon at which so many right guesses have a probability of ``error`` at most; 0 where there is none."""
    if (
        not num_guesses
        or 2 * num_canaries * delta >= 1.0
        or p_value(num_canaries, num_guesses, num_right, 0.0, delta) > error
    ):
        return 0.0  # with such a delta the bound need not grow with epsilon
    low, high = 0.0, _MOST
    while high - low > 1e-4:
        middle = (low + high) / 2
        if p_value(num_canaries, num_guesses, num_right, middle, delta) <= error:
            low = middle
        else:
            high = middle
    return low


def p_value(num_canaries: int, num_guesses: int, num_right: int, epsilon: float, delta: float) -> float:
    """A bound on the probability of ``num_right`` or more right guesses, where training is (epsilon, delta)-private.

    ``f(v) + 2 m delta max_{1 <= i <= v} (f(v - i) - f(v)) / i``, with ``f(v) = P[Binomial(r, 1 / (1 + exp(-epsilon))) >= v]``, ``r``
    guesses, ``v`` of them right, and ``m`` canaries.

    Guarantees:
        - grows with epsilon, where ``2 m delta`` is below one.
    Source: Steinke, Nasr, Jagielski 2023, arXiv:2305.08846, Theorem 5.2.
    """
    truth = 1.0 / (1.0 + math.exp(-epsilon))
    at = float(binom.sf(num_right - 1, num_guesses, truth))
    if delta == 0.0 or num_right == 0:
        return min(1.0, at)
    fewer = np.arange(1, num_right + 1)
    gained = np.cumsum(binom.pmf(num_right - fewer, num_guesses, truth)) / fewer
    return min(1.0, at + 2 * num_canaries * delta * float(gained.max()))


def permitted(false_positive_rate: Numbers, epsilon: float, delta: float) -> Numbers:
    """The largest true-positive rate any attack on one example can have, where training is (epsilon, delta)-private.

    ``min(exp(epsilon) f + delta, 1 - exp(-epsilon) (1 - delta - f))``.

    Source: Kairouz, Oh, Viswanath 2015, arXiv:1311.0776, Theorem 2.1.
    """
    if math.isinf(epsilon):
        return np.ones_like(false_positive_rate)
    rising = np.exp(min(epsilon, 700.0)) * false_positive_rate + delta
    falling = 1.0 - np.exp(-epsilon) * (1.0 - delta - false_positive_rate)
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, 1.0))
