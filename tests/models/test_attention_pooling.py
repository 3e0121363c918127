"""Attention pooling against the founding formula by hand."""

import math

import pytest
import torch

from slimlit.models.pooling import AttentionPooling, FirstToken, MeanPooling


def test_the_weights_are_the_founding_formula() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(width=3, num_heads=2)
    torch.nn.init.normal_(pooling.energy.weight)
    hidden = torch.randn(2, 4, 3)
    visible = torch.tensor([[True, True, True, False], [True, True, True, True]])
    pooled, weights = pooling(hidden, visible)
    for example in range(2):
        for head in range(2):
            seen = [i for i in range(4) if visible[example, i]]
            w_att = pooling.energy.weight[head].detach().double() * 3**0.5
            energies = {i: float(w_att @ hidden[example, i].double()) for i in seen}
            total = sum(math.exp(e) for e in energies.values())
            expected = torch.zeros(3, dtype=torch.float64)
            for i in seen:
                a = math.exp(energies[i]) / total
                assert weights[example, head, i].item() == pytest.approx(a, abs=1e-6)
                expected += a * hidden[example, i].double()
            assert torch.allclose(pooled.detach()[example, 3 * head : 3 * head + 3].double(), expected, atol=1e-6)


def test_hidden_tokens_get_exactly_zero_and_are_never_read() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(width=3)
    torch.nn.init.normal_(pooling.energy.weight)
    hidden = torch.randn(1, 4, 3)
    visible = torch.tensor([[True, False, True, False]])
    pooled, weights = pooling(hidden, visible)
    assert weights[0, 0, 1].item() == 0.0
    assert weights[0, 0, 3].item() == 0.0
    poisoned = hidden.clone()
    poisoned[0, 1] = float("nan")
    poisoned[0, 3] = float("inf")
    again, weights_again = pooling(poisoned, visible)
    assert torch.equal(pooled, again)
    assert torch.equal(weights, weights_again)


def test_weights_sum_to_one_over_the_visible_tokens_and_to_zero_where_none_is_visible() -> None:
    pooling = AttentionPooling(width=3)
    visible = torch.tensor([[True, True, False], [False, False, False]])
    pooled, weights = pooling(torch.randn(2, 3, 3), visible)
    assert weights.sum(dim=-1).flatten().tolist() == [1.0, 0.0]
    assert torch.equal(pooled[1], torch.zeros(3))


def test_freshly_made_attention_pooling_is_mean_pooling() -> None:
    hidden = torch.randn(2, 5, 4)
    visible = torch.tensor([[True] * 5, [True, True, False, False, False]])
    attended, weights = AttentionPooling(width=4)(hidden, visible)
    averaged, equal = MeanPooling()(hidden, visible)
    assert torch.allclose(attended, averaged, atol=1e-6)
    assert torch.allclose(weights, equal, atol=1e-6)


def test_the_first_token_is_what_cls_pooling_gives() -> None:
    hidden = torch.randn(2, 5, 4)
    pooled, weights = FirstToken()(hidden, torch.ones(2, 5, dtype=torch.bool))
    assert torch.equal(pooled, hidden[:, 0])
    assert weights[:, 0].tolist() == [[1.0, 0.0, 0.0, 0.0, 0.0]] * 2
