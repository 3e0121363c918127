"""``examine``: every method on one network and its texts, in three parts."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.explain.exam.attributing import attribute
from slimlit.explain.exam.cases import MEASURES
from slimlit.explain.exam.default_answer import is_default
from slimlit.explain.exam.faithfulness import SHARES, Faithfulness, faithfulness
from slimlit.explain.exam.grades import Exam, Grade, Lessons
from slimlit.explain.exam.intervals import Interval, mean_interval
from slimlit.explain.exam.planted_truth import Lesson, chance_of, find_truth, teach
from slimlit.explain.exam.planting import Planted, Truth, make_field, plant
from slimlit.explain.exam.randomisation import LEAST_COMPARED, compare_with_random
from slimlit.explain.exam.ranks import chance_likeness
from slimlit.explain.exam.removal import count_units, find_units
from slimlit.explain.exam.table import RANDOM
from slimlit.explain.method import Method
from slimlit.explain.question import Question, ask, take
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

TRUTHS: tuple[Truth, ...] = ("one word", "order of two words")
_PLANTED_TEXTS = 64


def examine(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    methods: Mapping[str, Method],
    removable: Bool[Tensor, "batch inputs"],
    words: Int[Tensor, "batch inputs"] | None = None,
    blank: int | None = None,
    seed: int = 0,
    num_compared: int = 24,
    num_noises: int = 3,
    truths: Sequence[Truth] = TRUTHS,
    facts: Mapping[str, Any] | None = None,
) -> Exam:
    """Grade every method (:class:`~slimlit.explain.exam.grades.Grade`).

    A hundred texts give intervals narrow enough to tell methods apart. The planted truth is in short texts of one word a token,
    whatever the words of these are.

    Args:
        network: whose explanations are examined.
        batch: texts it was made for, that it was not trained on.
        question: what is asked of each; for a classifier, the answer it gives.
        methods: by name.
        removable: inputs that are words.
        words: the word each input belongs to.
        blank: what is read in the stead of a word taken away.
        seed: of everything that is drawn.
        num_compared: texts, from the first, whose maps are compared with those of noise.
        num_noises: copies of noise.
        truths: planted, each in a copy of its own; none leaves that part out.
        facts: kept in the exam beside ours.
    """
    maps: dict[str, Float[Tensor, "batch inputs"]] = {}
    milliseconds = {}
    for name, method in methods.items():
        one = torch.zeros(1, dtype=torch.int64, device=removable.device)
        method(network, take(batch, one), ask(question, one))  # what it loads the first time is no text's cost
        began = time.process_time()
        maps[name] = attribute(network, batch, question, method)
        milliseconds[name] = 1000 * (time.process_time() - began) / len(question.classes)
    faithful = faithfulness(network, batch, question, maps, removable, words, blank, seed=seed)
    first = torch.arange(min(num_compared, len(question.classes)), device=removable.device)
    few = take(batch, first), ask(question, first)
    seeds = [seed * num_noises + number for number in range(num_noises)]
    few_words = None if words is None else words[first]
    correlations = compare_with_random(network, *few, methods, removable[first], few_words, seeds=seeds)
    counts = count_units(find_units(removable[first], few_words))
    by_chance = [chance_likeness(int(count)) for count in counts if count >= LEAST_COMPARED]
    lessons, found = find_planted(network, batch, question, methods, removable, seed, truths)
    some = next(iter(faithful.values()))
    default = is_default(network, batch, question, removable, words, blank, known=some.own["probability"])
    grades = {
        name: Grade(
            {truth: shares[name] for truth, shares in found.items()},
            gains_of(faithful[name]),
            {depth: mean_interval(values) for depth, values in correlations[name].items() if len(values)},
            milliseconds[name],
        )
        for name in methods
    }
    curves = {name: _mean_curve(one.own["probability"].curve, one.num_words) for name, one in faithful.items()}
    curves[RANDOM] = _mean_curve(some.random["probability"].curve, some.num_words)
    known = {
        "texts": len(question.classes),
        "compared": len(by_chance),
        "noises": num_noises,
        "seed": seed,
        **(facts or {}),
    }
    chance = float(np.mean(by_chance)) if by_chance else 0.0
    return Exam(grades, curves, [0.0, *SHARES, 1.0], lessons, float(default.mean()), chance, known)


def gains_of(found: Faithfulness) -> dict[str, Interval]:
    """What an attribution gained over random orders, in every measure; texts without words are left out."""
    has_words = found.num_words > 0
    if not has_words.any():
        return {}
    gains = {"comprehensiveness": found.comprehensiveness_gain, "sufficiency": found.sufficiency_gain}
    return {
        f"{name} {measure}": mean_interval(gain(measure)[has_words])
        for measure in MEASURES
        for name, gain in gains.items()
    }


def find_planted(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    methods: Mapping[str, Method],
    removable: Bool[Tensor, "batch inputs"],
    seed: int = 0,
    truths: Sequence[Truth] = TRUTHS,
) -> tuple[dict[str, Lessons], dict[str, dict[str, Interval]]]:
    """How copies of the network learned each planted truth; and where one did, how much of it each method found."""
    lessons, found = {}, {}
    for number, truth in enumerate(truths):
        field = make_field(batch, question, removable, np.random.default_rng([seed, number]))
        lesson: Lesson = teach(network, field, truth, seed=seed)
        planted: Planted = plant(field, truth, _PLANTED_TEXTS, np.random.default_rng([seed, number, 1]), decided=True)
        lessons[truth] = Lessons(lesson.accuracy, lesson.num_steps, chance_of(planted), lesson.is_learned)
        if lesson.is_learned:
            shares = find_truth(lesson.network, planted, methods, seed)
            found[str(truth)] = {name: mean_interval(values) for name, values in shares.items()}
    return {str(truth): one for truth, one in lessons.items()}, found


def _mean_curve(curves: Float[np.ndarray, "batch points"], num_words: Int[np.ndarray, " batch"]) -> list[float]:
    chosen = curves[num_words > 0] if (num_words > 0).any() else curves
    return [float(value) for value in chosen.mean(axis=0)]
