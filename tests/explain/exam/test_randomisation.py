"""Networks turned to noise, and what stays of a map."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.exam.randomisation import compare_with_random, randomise
from slimlit.explain.method import Method
from slimlit.explain.methods import METHODS
from slimlit.explain.question import Question, removable
from slimlit.models import PreTrainedModel
from slimlit.types import Batch
from tests.explain.exam.test_planted import SPECIAL, classifier, texts

__all__ = ["classifier"]


def test_all_weights_become_noise_of_their_own_size(classifier: PreTrainedModel) -> None:
    before = {name: weight.detach().clone() for name, weight in classifier.named_parameters()}
    noise = {name: weight.detach() for name, weight in randomise(classifier).named_parameters()}
    for name, weight in noise.items():
        if float(before[name].std(unbiased=False)) > 0:
            assert not torch.equal(weight, before[name]), name
        if weight.numel() > 1000:
            assert float(weight.std()) == pytest.approx(float(before[name].std()), rel=0.1)
    assert all(torch.equal(weight, before[name]) for name, weight in classifier.named_parameters())


def test_from_the_top_down_the_lower_layers_and_the_embeddings_stay(classifier: PreTrainedModel) -> None:
    noise = dict(randomise(classifier, num_layers=1).named_parameters())
    changed = {name for name, weight in classifier.named_parameters() if not torch.equal(weight, noise[name])}
    assert not [name for name in changed if ".embeddings." in name or ".layer.0." in name]
    assert "classifier.weight" in changed
    assert [name for name in changed if ".layer.1." in name]


def spell(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """A map of the text alone: it never asks the network."""
    return batch["input_ids"].float() * batch["attention_mask"]


def test_a_map_that_never_asks_the_network_stays_and_an_honest_one_does_not(classifier: PreTrainedModel) -> None:
    batch, question = texts(rows=8)
    methods: dict[str, Method] = {"spell": spell, "leave-one-out": METHODS["leave-one-out"]}
    found = compare_with_random(classifier, batch, question, methods, removable(batch, question, SPECIAL))
    assert set(found["spell"]) == {"head and top layer", "every weight"}
    for values in found["spell"].values():
        np.testing.assert_allclose(values, 1.0)
    assert abs(found["leave-one-out"]["every weight"].mean()) < 0.5


def test_texts_of_fewer_than_three_words_are_not_compared(classifier: PreTrainedModel) -> None:
    batch, question = texts()
    few = removable(batch, question, SPECIAL) & (torch.arange(24) < 3)
    few[0] = removable(batch, question, SPECIAL)[0]
    found = compare_with_random(classifier, batch, question, {"spell": spell}, few, depths=(None,))
    assert len(found["spell"]["every weight"]) == 1
