"""Heads by hand: importance against heads taken away, distances and spread of maps worked out on paper."""

import math

import pytest
import torch
from torch import Tensor
from transformers import BertConfig

from slimlit.explain.attention_maps import attention_maps
from slimlit.explain.heads import head_changes, head_distances, head_importance, nearest_other, spread
from slimlit.explain.question import take
from slimlit.models import SequenceClassifier, SequenceClassifierConfig, read
from slimlit.models.attention import gated_attention
from slimlit.models.attention_watch import AttentionKind
from slimlit.models.head_slopes import head_slopes
from slimlit.types import Batch


@pytest.fixture(scope="module")
def network() -> SequenceClassifier:
    torch.manual_seed(0)
    encoder = BertConfig(
        vocab_size=30, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=12
    )
    made = SequenceClassifier(SequenceClassifierConfig(encoder=encoder, num_labels=2))
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    made.encoder.encoder.layer[1].attention.self.value.weight.data[4:8] = 0.0  # the second head says nothing
    made.encoder.encoder.layer[1].attention.self.value.bias.data[4:8] = 0.0
    return made.train()


@pytest.fixture(scope="module")
def batch() -> Batch:
    mask = torch.tensor([[1] * 5, [1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    ids = torch.randint(1, 30, (3, 5), generator=torch.Generator().manual_seed(3)) * mask
    return Batch(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 1, 1]), example_id=torch.arange(3))


def losses(network: SequenceClassifier, batch: Batch) -> Tensor:
    return torch.nn.functional.cross_entropy(read(network, batch).logits, batch["labels"], reduction="none")


def importance(network: SequenceClassifier, batch: Batch) -> Tensor:
    return head_importance(network, batch, lambda given: losses(network, given), {"encoder": (2, 3)})["encoder"]


def test_importance_is_the_mean_over_examples_of_the_absolute_slope_of_each_gate(
    network: SequenceClassifier, batch: Batch
) -> None:
    found = importance(network, batch)
    network.eval()
    step = 1e-2
    by_hand = torch.zeros(2, 3)
    for layer in range(2):
        for head in range(3):
            ends = []
            for moved in (-step, step):
                gates = torch.ones(2, 3)
                gates[layer, head] += moved
                with torch.no_grad(), gated_attention(network, {"encoder": gates}):
                    ends.append(losses(network, batch).double())
            by_hand[layer, head] = ((ends[1] - ends[0]) / (2 * step)).abs().mean()
    network.train()
    torch.testing.assert_close(found, by_hand, rtol=2e-3, atol=1e-5)


def test_a_head_that_says_nothing_has_exactly_zero(network: SequenceClassifier, batch: Batch) -> None:
    found = importance(network, batch)
    assert found[1, 1] == 0.0
    assert (found > 0).sum() == 5


def test_an_examples_share_of_importance_does_not_depend_on_its_neighbours(
    network: SequenceClassifier, batch: Batch
) -> None:
    alone = torch.stack([importance(network, take(batch, torch.tensor([row]))) for row in range(3)])
    torch.testing.assert_close(alone.mean(dim=0), importance(network, batch))


def test_weights_gradients_and_mode_are_left_as_they_were(network: SequenceClassifier, batch: Batch) -> None:
    before = [weight.detach().clone() for weight in network.parameters()]
    importance(network, batch)
    assert all(torch.equal(one, two) for one, two in zip(before, network.parameters(), strict=True))
    assert all(weight.grad is None for weight in network.parameters())
    assert network.training
    assert network.pooling.training


def test_distances_by_hand() -> None:
    def rows(*heads: list[float]) -> Tensor:
        return torch.tensor([[[[list(head)] for head in heads]]]).reshape(1, 1, len(heads), 1, 2)

    real = torch.ones(1, 1, dtype=torch.bool)
    found = head_distances(rows([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]), real)[0]
    # JS(10, 55) in bits: H(.75, .25) - (0 + 1) / 2
    half = math.sqrt(-0.75 * math.log2(0.75) - 0.25 * math.log2(0.25) - 0.5)
    torch.testing.assert_close(found, torch.tensor([[0, 1, half], [1, 0, half], [half, half, 0]]))
    assert nearest_other(found.unsqueeze(0)).tolist() == [[pytest.approx(half)] * 3]
    assert nearest_other(torch.zeros(1, 1, 1)).tolist() == [[1.0]]


def test_padding_is_no_part_of_distances_and_changes(network: SequenceClassifier, batch: Batch) -> None:
    maps, real = attention_maps(network, batch)["encoder"], batch["attention_mask"].bool()
    wider = torch.nn.functional.pad(maps, (0, 2, 0, 2))
    more = torch.nn.functional.pad(real, (0, 2))
    torch.testing.assert_close(head_distances(wider, more), head_distances(maps, real))
    other = maps.flip(2)
    changed = head_changes(maps, other, real)
    torch.testing.assert_close(head_changes(wider, wider.flip(2), more), changed)
    assert (changed[:, 1] == 0).all()
    assert (changed[:, 0] > 0).all()


def test_spread_is_the_entropy_over_that_of_equal_weights() -> None:
    weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0]])
    assert spread(weights).tolist() == pytest.approx([1.0, 0.0, 1.0])
    assert spread(weights, torch.ones(3, 4, dtype=torch.bool)).tolist() == pytest.approx([1.0, 0.0, 0.5])


def test_kinds_of_attention_that_the_network_does_not_have_are_zero_and_no_weight_of_the_network_gets_a_gradient(
    network: SequenceClassifier, batch: Batch
) -> None:
    network.eval()
    shapes: dict[AttentionKind, tuple[int, int]] = {"encoder": (2, 3), "cross": (2, 3)}
    slopes = head_slopes(network, batch, lambda given: losses(network, given), shapes)
    assert slopes["encoder"].abs().sum() > 0
    assert torch.equal(slopes["cross"], torch.zeros(2, 3, 3))
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())
