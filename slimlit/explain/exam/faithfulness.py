"""``faithfulness``: whether the words an attribution calls strong are those the network needs, against random orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.explain.exam.cases import MEASURES, Cases, read_cases
from slimlit.explain.exam.removal import Orders, count_units, draw_ranks, find_units, rank_units, sum_by_unit
from slimlit.explain.question import Measure, Question
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words; ERASER's bins


@dataclass(frozen=True)
class Removal:
    """What the network says of its answer, in one measure, as the strongest words go, or as they alone stay.

    Args:
        whole: with every word.
        empty: with no word.
        deleted: without the strongest share.
        kept: with the strongest share alone.
    """

    whole: Float[np.ndarray, " batch"]
    empty: Float[np.ndarray, " batch"]
    deleted: Float[np.ndarray, "batch shares"]
    kept: Float[np.ndarray, "batch shares"]

    @property
    def comprehensiveness(self) -> Float[np.ndarray, " batch"]:
        """What the answer loses without the strongest words, mean over the shares; higher is better."""
        return np.asarray((self.whole[:, None] - self.deleted).mean(axis=1))

    @property
    def sufficiency(self) -> Float[np.ndarray, " batch"]:
        """What the answer loses with the strongest words alone, mean over the shares; lower is better."""
        return np.asarray((self.whole[:, None] - self.kept).mean(axis=1))

    @property
    def curve(self) -> Float[np.ndarray, "batch points"]:
        """The deletion curve: with every word, without each share, with no word."""
        return np.concatenate([self.whole[:, None], self.deleted, self.empty[:, None]], axis=1)


@dataclass(frozen=True)
class Faithfulness:
    """An attribution's removals and the mean of those of random orders, one row an example.

    Args:
        shares: of the words that were taken away.
        num_words: of each example; where it is 0, all numbers are those of the whole.
        own: by measure, in the attribution's order.
        random: by measure, mean over random orders.
        draws: by measure, of each random order.
    """

    shares: tuple[float, ...]
    num_words: Int[np.ndarray, " batch"]
    own: Mapping[Measure, Removal]
    random: Mapping[Measure, Removal]
    draws: Sequence[Mapping[Measure, Removal]]

    def comprehensiveness_gain(self, measure: Measure = "probability") -> Float[np.ndarray, " batch"]:
        """How much more comprehensive than random; above zero is better than chance."""
        return np.asarray(self.own[measure].comprehensiveness - self.random[measure].comprehensiveness)

    def sufficiency_gain(self, measure: Measure = "probability") -> Float[np.ndarray, " batch"]:
        """How much more of the answer the strongest words keep than random ones; above zero is better than chance."""
        return np.asarray(self.random[measure].sufficiency - self.own[measure].sufficiency)

    def area(self, measure: Measure = "probability") -> Float[np.ndarray, " batch"]:
        """The area under the deletion curve minus that of random orders; below zero is better than chance."""
        counts = np.maximum(self.num_words, 1)[:, None]
        gone = np.stack([np.ceil(np.round(share * counts[:, 0], 9)) for share in self.shares], axis=1) / counts
        points = np.concatenate(
            [np.zeros_like(gone[:, :1]), gone, np.ones_like(gone[:, :1])], axis=1
        )  # 1 % of ten words is a tenth
        difference = self.own[measure].curve - self.random[measure].curve
        return np.asarray(np.trapezoid(difference, points, axis=1))


def faithfulness(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    attributions: Mapping[str, Float[Tensor, "batch inputs"]],
    removable: Bool[Tensor, "batch inputs"],
    words: Int[Tensor, "batch inputs"] | None = None,
    blank: int | None = None,
    shares: Sequence[float] = SHARES,
    num_random: int = 3,
    seed: int = 0,
) -> dict[str, Faithfulness]:
    """ERASER's comprehensiveness and sufficiency of each attribution, and of random orders of the same words.

    ``comprehensiveness_b = mean_s (f(x_b) - f(x_b without the strongest share s))``,
    ``sufficiency_b = mean_s (f(x_b) - f(only the strongest share s of x_b))``, with ``f`` the probability of the asked
    answer, or its margin: its logit minus the best other one. A share of ``n`` words is ``ceil(s n)`` of them.

    Guarantees:
        - an example's numbers depend on its own text, its ``example_id`` and the seed alone, not on its neighbours;
        - words of equal weight go in random order, so that a map that says nothing scores like chance;
        - the network's weights, gradients and mode are left as they were.

    Args:
        network: whose answers are explained.
        batch: texts.
        question: what is asked of each.
        attributions: by the name of the method, larger for what spoke for the answer.
        removable: inputs that may be taken away (:func:`slimlit.explain.question.removable`).
        words: the word each input belongs to, -1 where to none; a word goes with all its removable inputs. None takes
            each input as a word.
        blank: what is read in the stead of an input taken away (:func:`slimlit.explain.question.without`).
        shares: of the words, from 0 to 1.
        num_random: random orders for each example.
        seed: of the random orders.

    Raises:
        ValueError: no random order, or shares that are none.

    Source: DeYoung et al. 2020, arXiv:1911.03429, section 4.
    """
    if num_random < 1 or not shares or not all(0 < share <= 1 for share in shares):
        raise ValueError(f"{num_random} random orders and shares {list(shares)}; expected one or more, from 0 to 1")
    units = find_units(removable, words)
    examples = batch["example_id"].tolist()
    values = {name: sum_by_unit(given, units) for name, given in attributions.items()}
    orders = [rank_units(one, examples, seed) for one in values.values()]
    orders += [draw_ranks(units, examples, seed, 1 + number) for number in range(num_random)]
    removals = read_removals(network, batch, question, units, orders, shares, blank)
    draws = removals[len(values) :]
    chance = {measure: _mean([one[measure] for one in draws]) for measure in MEASURES}
    counts = count_units(units)
    return {
        name: Faithfulness(tuple(shares), counts, own, chance, draws)
        for name, own in zip(values, removals[: len(values)], strict=True)
    }


def read_removals(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    units: Int[np.ndarray, "batch inputs"],
    orders: Sequence[Orders],
    shares: Sequence[float],
    blank: int | None = None,
) -> list[dict[Measure, Removal]]:
    """What the network says along each order of its words, by measure."""
    counts = count_units(units)
    numbers = [np.ceil(np.round(share * counts, 9)).astype(np.int64) for share in shares]
    hidden = [np.zeros(units.shape, dtype=bool), units >= 0]
    for order in orders:
        ranks = np.where(units >= 0, np.take_along_axis(order, np.maximum(units, 0), axis=1), -1)
        hidden += [(ranks >= 0) & (ranks < number[:, None]) for number in numbers]
        hidden += [ranks >= number[:, None] for number in numbers]
    cases = Cases(np.tile(np.arange(len(units)), len(hidden)), np.concatenate(hidden))
    said = read_cases(network, batch, question, cases, blank)
    found: list[dict[Measure, Removal]] = []
    for number in range(len(orders)):
        start = 2 + 2 * number * len(numbers)
        found.append({})
        for measure in MEASURES:
            table = said[measure].reshape(len(hidden), len(units)).T
            middle, end = start + len(numbers), start + 2 * len(numbers)
            found[-1][measure] = Removal(table[:, 0], table[:, 1], table[:, start:middle], table[:, middle:end])
    return found


def _mean(removals: Sequence[Removal]) -> Removal:
    parts = ("whole", "empty", "deleted", "kept")
    return Removal(*(np.mean([getattr(one, part) for one in removals], axis=0) for part in parts))
