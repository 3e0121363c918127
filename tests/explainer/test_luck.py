"""A map that says nothing is seldom called better than random."""

import numpy as np
import torch

from slimlit.explain import records
from slimlit.explain.exam import faithfulness
from slimlit.explainer import maps
from tests.explain.exam.three_neurons import ThreeNeurons, words_of


def test_of_random_maps_few_are_called_better_than_random_and_of_right_ones_most() -> None:
    random = np.random.default_rng(0)
    rows = [random.permutation([1, 2, 2, 3, 3, *[0] * 10]).tolist() for _ in range(200)]
    batch, question = words_of(*rows)
    words = batch["input_ids"]
    values = {"random": random.normal(size=words.shape), "right": np.array([0.0, 2, 1, -1])[words.numpy()]}
    told = {name: torch.from_numpy(value).float() for name, value in values.items()}
    found = faithfulness(
        ThreeNeurons().eval(),
        batch,
        question,
        told,
        batch["attention_mask"].bool(),
        None,
        None,
        maps.SHARES,
        maps.NUM_RANDOM,
    )
    share = {
        name: np.mean([maps.tested_of(one, row).beats_random for row in range(200)]) for name, one in found.items()
    }
    assert share["random"] <= 0.08
    assert share["right"] > 0.5


def test_a_map_that_one_random_order_equals_is_not_told_from_random() -> None:
    assert records.Tested(0.5, 0.1, 0.1, 0.3, 0.3).beats_random
    assert not records.Tested(0.5, 0.1, 0.1, 0.3, 0.4).beats_random
    assert not records.Tested(0.5, 0.1, 0.5, 0.3, 0.3).beats_random
