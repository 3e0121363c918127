"""``score``: the task's own metric of the network and of its export, on the same texts, in points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slimlit.export.comparison import Comparison
from slimlit.export.sample import Array
from slimlit.text.spans import span_scores


@dataclass(frozen=True)
class Metric:
    """A metric of both; ``loss`` is how many points worse the export is, below zero where it is better.

    A point is a hundredth of accuracy or F1, and a hundredth of the network's own perplexity.
    """

    name: str
    network: float
    exported: float
    loss: float


def score(found: Comparison, labels: Sequence[str]) -> Metric | None:
    """Accuracy of classes, F1 of spans, perplexity of words; None where the texts have no labels."""
    if found.kind == "sequence_classification":
        labelled = sum(row[0].size for row in found.answers)
        return _better_high("accuracy", [_accuracy(found.answers, side) for side in (1, 2)]) if labelled else None
    if found.kind == "token_classification":
        return _better_high("F1", [_f1(found.answers, side, labels) for side in (1, 2)])
    whole = [np.concatenate(side) for side in zip(*found.nats, strict=True)]
    if not whole or not len(whole[0]):
        return None
    ours, theirs = (float(np.exp(side.mean())) for side in whole)
    return Metric("perplexity", ours, theirs, 100 * (theirs / ours - 1))


def _better_high(name: str, both: list[float]) -> Metric:
    return Metric(name, both[0], both[1], 100 * (both[0] - both[1]))


def _accuracy(answers: list[tuple[Array, Array, Array]], side: int) -> float:
    right = [(row[side] == row[0]).reshape(-1) for row in answers]
    return float(np.concatenate(right).mean()) if right else 0.0


def _f1(answers: list[tuple[Array, Array, Array]], side: int, labels: Sequence[str]) -> float:
    gold = [[labels[tag] for tag in row[0]] for row in answers]
    return span_scores(gold, [[labels[tag] for tag in row[side]] for row in answers]).micro.f1
