"""Networks turned to noise, and what stays of a map."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.exam.randomisation import compare_with_random, randomise
from slimlit.explain.exam.ranks import chance_likeness
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
    assert found["leave-one-out"]["every weight"].mean() < 0.5


def test_a_map_upside_down_is_the_same_map_and_each_noise_is_another(classifier: PreTrainedModel) -> None:
    batch, question = texts(rows=8)
    calls: list[int] = []

    def turned(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
        calls.append(id(network))
        return spell(network, batch, question) * (1.0 if network is classifier else -1.0)

    may_go = removable(batch, question, SPECIAL)
    found = compare_with_random(classifier, batch, question, {"turned": turned}, may_go, depths=(None,), seeds=(0, 1))
    np.testing.assert_allclose(found["turned"]["every weight"], np.ones((8, 2)))
    honest = {"leave-one-out": METHODS["leave-one-out"]}
    by_seed = compare_with_random(classifier, batch, question, honest, may_go, depths=(None,), seeds=(0, 1))
    values = by_seed["leave-one-out"]["every weight"]
    assert (values >= 0).all()
    assert not np.allclose(values[:, 0], values[:, 1])


def test_by_chance_maps_are_as_alike_as_random_orders() -> None:
    assert chance_likeness(3) == pytest.approx((2 * 1.0 + 4 * 0.5) / 6, abs=0.05)
    assert chance_likeness(50) == pytest.approx(0.8 / 7, rel=0.1)


def test_texts_of_fewer_than_six_words_are_not_compared(classifier: PreTrainedModel) -> None:
    batch, question = texts()
    few = removable(batch, question, SPECIAL) & (torch.arange(24) < 6)
    few[0] = removable(batch, question, SPECIAL)[0]
    found = compare_with_random(classifier, batch, question, {"spell": spell}, few, depths=(None,))
    assert len(found["spell"]["every weight"]) == 1
