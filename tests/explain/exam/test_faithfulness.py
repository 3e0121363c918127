"""Comprehensiveness, sufficiency and deletion curves, against what is found by hand, and against random orders."""

import math

import numpy as np
import pytest
import torch

from slimlit.explain.exam import faithfulness, is_default, mean_interval
from slimlit.explain.exam.removal import draw_ranks, find_units
from slimlit.explain.question import Question, removable, without
from slimlit.types import Batch
from tests.explain.exam.three_neurons import ThreeNeurons, words_of


def sigmoid(margin: float) -> float:
    return 1 / (1 + math.exp(-margin))


THIRDS = (1 / 3, 2 / 3)


@pytest.fixture
def network() -> ThreeNeurons:
    return ThreeNeurons().eval()


def test_three_neurons_give_the_values_found_by_hand(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2, 3])  # margins: all 2; without 1: 0; without 1 and 2: -1; 1 alone: 2; 1 and 2: 3
    order = torch.tensor([[3.0, 2.0, 1.0]])
    found = faithfulness(network, batch, question, {"by hand": order}, batch["attention_mask"].bool(), shares=THIRDS)
    margin, probability = found["by hand"].own["margin"], found["by hand"].own["probability"]
    np.testing.assert_allclose(margin.curve, [[2, 0, -1, 0]])
    np.testing.assert_allclose(margin.comprehensiveness, [(2 + 3) / 2])
    np.testing.assert_allclose(margin.sufficiency, [(0 - 1) / 2])
    whole = sigmoid(2)
    np.testing.assert_allclose(probability.curve, [[whole, 0.5, sigmoid(-1), 0.5]], rtol=1e-6)
    np.testing.assert_allclose(probability.comprehensiveness, [whole - (0.5 + sigmoid(-1)) / 2], rtol=1e-6)
    np.testing.assert_allclose(probability.sufficiency, [whole - (sigmoid(2) + sigmoid(3)) / 2], rtol=1e-5)


def test_random_orders_tend_to_the_mean_over_all_orders(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2, 3])
    zeros = torch.zeros(1, 3)
    one = faithfulness(
        network, batch, question, {"": zeros}, batch["attention_mask"].bool(), shares=THIRDS, num_random=400
    )
    # without one word the margin is 0, 1 or 3, without two -1, 1 or 2: 2 less their means
    np.testing.assert_allclose(one[""].random["margin"].deleted, [[4 / 3, 2 / 3]], atol=0.2)


def test_words_of_equal_weight_go_in_random_order(network: ThreeNeurons) -> None:
    batch, question = words_of(*[[1, 2, 3]] * 60)
    flat = {"flat": torch.zeros(60, 3)}
    found = faithfulness(network, batch, question, flat, batch["attention_mask"].bool(), shares=THIRDS, num_random=20)
    gain = mean_interval(found["flat"].comprehensiveness_gain("margin"))
    assert gain.low < 0 < gain.high


def test_a_perfect_order_gains_and_a_reversed_one_loses(network: ThreeNeurons) -> None:
    batch, question = words_of(*[[3, 0, 1, 0, 2]] * 4)
    right = torch.tensor([[-1.0, 0, 2, 0, 1]]).expand(4, 5)
    found = faithfulness(network, batch, question, {"right": right, "wrong": -right}, batch["attention_mask"].bool())
    for measure in ("margin", "probability"):
        assert (found["right"].comprehensiveness_gain(measure) > 0).all()
        assert (found["right"].sufficiency_gain(measure) > 0).all()
        assert (found["right"].area(measure) < 0).all()
        assert (found["wrong"].comprehensiveness_gain(measure) < 0).all()


def test_numbers_of_an_example_do_not_depend_on_its_neighbours(network: ThreeNeurons) -> None:
    both, asked = words_of([1, 2, 3], [3, 1, 2, 0, 2, 1])
    alone, alone_asked = words_of([1, 2, 3])
    values = torch.rand(2, 6, generator=torch.Generator().manual_seed(0))
    together = faithfulness(network, both, asked, {"": values}, both["attention_mask"].bool())[""]
    single = faithfulness(network, alone, alone_asked, {"": values[:1, :3]}, alone["attention_mask"].bool())[""]
    for measure in ("margin", "probability"):
        np.testing.assert_allclose(together.own[measure].curve[0], single.own[measure].curve[0], rtol=1e-6)
        np.testing.assert_allclose(together.random[measure].curve[0], single.random[measure].curve[0], rtol=1e-6)


def test_a_share_is_rounded_up_to_whole_words(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2, 3, 0, 0])
    values = torch.tensor([[5.0, 4, 3, 2, 1]])
    found = faithfulness(
        network, batch, question, {"": values}, batch["attention_mask"].bool(), shares=(0.01, 0.2, 0.4)
    )
    np.testing.assert_allclose(found[""].own["margin"].deleted, [[0, 0, -1]])


def test_the_area_is_over_the_shares_that_were_really_gone(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2, 3, 0, 0])
    values, may_go = torch.tensor([[5.0, 4, 3, 2, 1]]), batch["attention_mask"].bool()
    fine, twice = (
        faithfulness(network, batch, question, {"": values}, may_go, shares=shares)[""].area("margin")
        for shares in ((0.2, 0.4), (0.01, 0.2, 0.4))  # 1 % of five words is one word, as 20 % are
    )
    np.testing.assert_allclose(twice, fine)


def test_seeds_share_no_random_order() -> None:
    units = np.tile(np.arange(30), (2, 1))
    drawn = [
        draw_ranks(units, [0, 1], seed, number)[row].tolist()
        for seed in range(2)
        for number in (1, 2, 3)
        for row in (0, 1)
    ]
    assert len({tuple(one) for one in drawn}) == len(drawn)


def test_a_word_goes_with_all_its_inputs(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2, 3])
    words = torch.tensor([[7, 4, 7]])  # 1 and 3 are one word: together they add 1
    values = torch.tensor([[0.6, 1.0, 0.6]])
    found = faithfulness(network, batch, question, {"": values}, batch["attention_mask"].bool(), words, shares=(0.5,))
    np.testing.assert_allclose(found[""].own["margin"].curve, [[2, 1, 0]])


def test_units_count_words_and_lonely_inputs_in_the_order_of_the_text() -> None:
    may_go = torch.tensor([[False, True, True, True, True, False]])
    words = torch.tensor([[-1, 9, 9, -1, 2, -1]])
    assert find_units(may_go, words).tolist() == [[-1, 0, 0, 1, 2, -1]]
    assert find_units(may_go).tolist() == [[-1, 0, 1, 2, 3, -1]]


def test_a_text_without_words_changes_nothing(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2], [3, 3])
    may_go = torch.tensor([[True, True], [False, False]])
    found = faithfulness(network, batch, question, {"": torch.ones(2, 2)}, may_go)[""]
    assert found.num_words.tolist() == [2, 0]
    assert found.own["margin"].comprehensiveness[1] == found.comprehensiveness_gain()[1] == 0
    assert is_default(network, batch, question, may_go).tolist() == [False, True]


def test_no_word_matters_where_all_of_them_change_nothing(network: ThreeNeurons) -> None:
    batch, question = words_of(
        [0, 0, 0], [1, 0, 0], [2, 3, 0]
    )  # in the last, two words that matter make up for each other
    assert is_default(network, batch, question, batch["attention_mask"].bool()).tolist() == [True, False, False]


def test_no_random_order_is_an_error(network: ThreeNeurons) -> None:
    batch, question = words_of([1, 2, 3])
    with pytest.raises(ValueError, match="0 random orders"):
        faithfulness(network, batch, question, {}, batch["attention_mask"].bool(), num_random=0)


def test_the_networks_mode_is_given_back(network: ThreeNeurons) -> None:
    network.train()
    network.head.eval()
    batch, question = words_of([1, 2, 3])
    faithfulness(network, batch, question, {"": torch.zeros(1, 3)}, batch["attention_mask"].bool())
    assert (network.training, network.head.training) == (True, False)


def test_what_is_hidden_reads_as_the_blank() -> None:
    batch, question = words_of([1, 2, 3])
    hidden = torch.tensor([[False, True, False]])
    assert without(batch, hidden, blank=0)["input_ids"].tolist() == [[1, 0, 3]]
    assert without(batch, hidden)["input_ids"].tolist() == [[1, 2, 3]]
    assert removable(batch, question, frozenset({2})).tolist() == [[True, False, True]]


def test_an_interval_holds_its_mean_and_narrows_with_more_examples() -> None:
    values = np.random.default_rng(0).normal(1.0, 1.0, 400)
    wide, narrow = mean_interval(values[:25]), mean_interval(values)
    for one in (wide, narrow):
        assert one.low < one.mean < one.high
    assert (wide.high - wide.low) > 2 * (narrow.high - narrow.low)
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 / 20, rel=0.2)  # of a mean of 400 with deviation 1
    by_seed = mean_interval(np.stack([values - 1.0, values, values + 1.0], axis=1))  # seeds that differ widen it
    assert by_seed.mean == pytest.approx(narrow.mean)
    assert by_seed.high - by_seed.low > 3 * (narrow.high - narrow.low)
    with pytest.raises(ValueError, match="no examples"):
        mean_interval(np.zeros(0))


def test_batches_carry_what_they_carried() -> None:
    batch, _ = words_of([1, 2, 3])
    more = Batch(**{**batch, "token_type_ids": torch.zeros(1, 3, dtype=torch.int64)})  # type: ignore[typeddict-item]
    assert set(without(more, torch.zeros(1, 3, dtype=torch.bool))) == set(more)
    assert isinstance(Question(torch.tensor([0])), Question)
