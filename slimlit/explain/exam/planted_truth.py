"""``teach`` a copy of a network a truth we planted, then ``find_truth``: whether a method finds it."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from slimlit.explain.exam.attributing import attribute
from slimlit.explain.exam.cases import eval_mode
from slimlit.explain.exam.planting import Field, Planted, Truth, plant
from slimlit.explain.exam.removal import find_units, rank_units, sum_by_unit
from slimlit.explain.method import Method
from slimlit.explain.question import answer
from slimlit.models import PreTrainedModel

LEARNED = 0.95
_BATCH, _EVERY, _TEST, _RATE, _WARM = 32, 20, 128, 5e-4, 20
_CLOSE = 0.05  # nats over the least possible, where teaching ends early


@dataclass(frozen=True)
class Lesson:
    """A copy that was taught, and how well: its accuracy on fresh texts, and the steps it took."""

    network: PreTrainedModel
    accuracy: float
    num_steps: int

    @property
    def is_learned(self) -> bool:
        """Whether its answers hang on what was planted, so that a method can be held to it."""
        return self.accuracy >= LEARNED


def teach(network: PreTrainedModel, field: Field, truth: Truth, max_steps: int = 300, seed: int = 0) -> Lesson:
    """Train a copy on planted texts, word embeddings apart, until fresh ones are answered right or the steps are over.

    Guarantees:
        - the network itself stays as it is;
        - the same seed gives the same copy.
    """
    pupil = copy.deepcopy(network)
    tables = [pupil.get_input_embeddings(), pupil.get_output_embeddings()]
    fixed = {id(weight) for table in tables if table is not None for weight in table.parameters()}
    weights = [weight for weight in pupil.parameters() if id(weight) not in fixed and weight.is_floating_point()]
    pupil.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    optimizer = torch.optim.AdamW(weights, lr=_RATE, weight_decay=0.0)
    random = np.random.default_rng([seed, 1])
    fresh = plant(field, truth, _TEST, np.random.default_rng([seed, 2]))
    accuracy, step = 0.0, 0
    with eval_mode(pupil), torch.enable_grad():
        while step < max_steps:
            step += 1
            optimizer.param_groups[0]["lr"] = _RATE * min(1.0, step / _WARM)
            optimizer.zero_grad()
            _losses(pupil, field, plant(field, truth, _BATCH, random)).mean().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            if step % _EVERY == 0 or step == max_steps:
                accuracy, excess = _test(pupil, field, fresh)
                if accuracy >= 0.99 and excess < _CLOSE:
                    break
    pupil.zero_grad()
    pupil.requires_grad_(True)
    return Lesson(pupil.eval(), accuracy, step)


def _losses(network: PreTrainedModel, field: Field, planted: Planted) -> Float[Tensor, " batch"]:
    """Cross-entropy with the two answers, in nats."""
    said = torch.log_softmax(answer(network, planted.batch, planted.question), dim=1)
    return -(said[:, list(field.answers)] * planted.targets).sum(dim=1)


@torch.no_grad()
def _test(network: PreTrainedModel, field: Field, planted: Planted) -> tuple[float, float]:
    """Accuracy where something decides, and the loss over the least possible everywhere."""
    logits = answer(network, planted.batch, planted.question)
    is_decided = planted.targets.amax(dim=1) == 1
    right = (logits.argmax(dim=1) == planted.question.classes)[is_decided]
    least = torch.special.entr(planted.targets).sum(dim=1)
    return float(right.float().mean()), float((_losses(network, field, planted) - least).mean())


def find_truth(
    network: PreTrainedModel, planted: Planted, methods: Mapping[str, Method], seed: int = 0
) -> dict[str, Float[np.ndarray, " texts"]]:
    """The share of each text's deciding words that are among its strongest, as many as there are, by method.

    Equal values are ranked by chance. A random map finds :func:`chance_of`.
    """
    units = find_units(planted.removable)
    truth = _by_unit(planted.truth, planted)
    found = {}
    for name, method in methods.items():
        values = sum_by_unit(attribute(network, planted.batch, planted.question, method), units)
        ranks = rank_units(values, planted.batch["example_id"].tolist(), seed)
        number = truth.sum(axis=1, keepdims=True)
        found[name] = np.asarray(((ranks < number) & truth).sum(axis=1) / number[:, 0])
    return found


def chance_of(planted: Planted) -> float:
    """What a random map finds, on average."""
    number, words = planted.truth.sum(dim=1).double(), planted.removable.sum(dim=1).double()
    return float((number / words).mean())


def _by_unit(which: Bool[Tensor, "batch inputs"], planted: Planted) -> Bool[np.ndarray, "batch units"]:
    return np.asarray(sum_by_unit(which.double(), find_units(planted.removable)) > 0)
