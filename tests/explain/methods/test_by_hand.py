"""Exact values on a network of three neurons, solved by hand."""

import math

import pytest
import torch

from slimlit.explain.methods import METHODS
from slimlit.explain.methods.integrated_gradients import IntegratedGradients
from slimlit.explain.question import Question, answer
from tests.explain.methods.networks import WORDS, ThreeNeurons, words
from tests.explain.methods.test_contract import NO_CAPTUM

# it looks at "four" with 3/4 and at "minus eight" with 1/4: h = 3 - 2 = 1, and the logit asked is 2 h
TEXT = ("four", "minus eight")
ASKED = Question(torch.tensor([1]))


def found(method: str) -> list[float]:
    return [float(number) for number in METHODS[method](ThreeNeurons(), words(*TEXT), ASKED)[0]]


def test_the_answer_is_two() -> None:
    torch.testing.assert_close(answer(ThreeNeurons(), words(*TEXT), ASKED), torch.tensor([[-1.0, 2.0]]))


def test_input_times_gradient_sums_to_the_logit_where_attention_is_held_fixed() -> None:
    assert found("input-gradient") == pytest.approx([2 * 0.75 * 4, 2 * 0.25 * -8])


def test_the_gradient_goes_through_attention_too_where_it_is_not_held_fixed() -> None:
    by_value, by_key = (2 * 0.75, 2 * 0.25), (2 * 0.75 * (4 - 1), 2 * 0.25 * (-8 - 1))
    assert found("gradient-norm") == pytest.approx([math.hypot(*each) for each in zip(by_value, by_key, strict=True)])


def test_without_one_word_the_other_alone_is_read() -> None:
    assert found("leave-one-out") == pytest.approx([2 - 0, 2 - 8])  # relu(-8) = 0, and relu(4) twice


def test_rollout_takes_half_of_the_attention_and_half_of_the_token_itself() -> None:
    assert found("attention-rollout") == pytest.approx([(0.75 + 1) / 2, 0.25 / 2])


def test_attention_counts_where_more_of_it_says_more() -> None:
    assert found("gradient-attention") == pytest.approx([1 + 0.75 * 2 * 4, 0])


@NO_CAPTUM
def test_integrated_gradients_are_the_line_where_the_network_is_linear() -> None:
    method = IntegratedGradients(mask_id=WORDS["nothing"])
    numbers = method(ThreeNeurons(), words("eight", "minus four"), ASKED)
    torch.testing.assert_close(numbers, torch.tensor([[2 * 0.5 * 8, 2 * 0.5 * -4]]))


@NO_CAPTUM
def test_integrated_gradients_are_complete_where_it_is_not() -> None:
    method = IntegratedGradients(mask_id=WORDS["nothing"], num_steps=50)
    network = ThreeNeurons()
    assert float(method(network, words("four", "minus four"), ASKED).sum()) == pytest.approx(2 * (3 - 1), abs=0.05)


@pytest.mark.parametrize(
    "name", sorted({*METHODS} - {"pooling-weights", "pooling-share", "attention-rollout", "random"})
)
def test_the_one_word_that_decides_is_found(name: str) -> None:
    if name == "integrated-gradients":
        pytest.importorskip("captum", reason="Captum is missing: pip install 'slimlit[captum]'")
    text = words("nothing", "nothing", "nothing", "eight", "nothing")
    numbers = METHODS[name](ThreeNeurons(), text, ASKED)[0]
    others = numbers[[1, 2, 4]]  # the first token is where this network answers
    assert bool((numbers[3] > others).all())
