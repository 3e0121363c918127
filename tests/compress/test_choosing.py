"""The parts that matter stay: by gradients, by activations, by weights."""

import pytest
import torch
from torch import Tensor

from slimlit.compress import prune
from slimlit.compress.choosing import Shares, choose
from slimlit.compress.confidence import confidence
from slimlit.compress.importance import HIDDEN, Score, by_texts, by_weights
from slimlit.compress.layouts import layout_of, readers_of
from slimlit.compress.plans import Parts
from slimlit.models import PreTrainedModel, read
from slimlit.types import Batch
from tests.compress.networks import make, run

NAMES = ["classifier", "llama", "t5", "gpt2", "marian", "modernbert"]


def batch(rows: int, tokens: int = 6, padding: int = 0) -> Batch:
    ids = torch.randint(3, 40, (rows, tokens), generator=torch.Generator().manual_seed(1))
    ids = torch.nn.functional.pad(ids, (0, padding))
    mask = torch.nn.functional.pad(torch.ones(rows, tokens, dtype=torch.long), (0, padding))
    return Batch(
        input_ids=ids, attention_mask=mask, labels=ids[:, 0] % 3, example_id=torch.arange(rows),
        decoder_input_ids=ids, decoder_attention_mask=mask,
    )  # fmt: skip


def losses(network: PreTrainedModel) -> object:
    def of(given: Batch) -> Tensor:
        logits = read(network, given).logits
        logits = logits if logits.dim() == 2 else logits[:, 0]
        return torch.nn.functional.cross_entropy(logits, given["labels"], reduction="none")

    return of


@pytest.mark.parametrize("score", ["taylor", "activation", "weights"])
@pytest.mark.parametrize("name", NAMES)
def test_heads_and_units_that_say_nothing_go_first(name: str, score: Score) -> None:
    network = make(name)
    parts, layout = Parts.of(network.config), layout_of(network.config)
    for _, kind, reader in readers_of(network, layout):  # the first half of the heads, and the second of the units
        weight = reader.weight.data if layout.turned else reader.weight.data.T
        weight[: 2 * parts.head_dim] *= 1.0 if kind == "feed" else 1e-6
        weight[6:] *= 1e-6 if kind == "feed" else 1.0
    scores = by_weights(network) if score == "weights" else by_texts(network, [batch(4)], losses(network), score)
    for key, found in scores.parts.items():
        if key != HIDDEN:
            kept = torch.topk(found, len(found) // 2).indices.sort().values.tolist()
            assert kept == ([0, 1, 2, 3, 4, 5] if key.endswith("feed") else [2, 3]), key


@pytest.mark.parametrize("score", ["taylor", "activation", "attention"])
def test_scores_do_not_depend_on_the_batch_or_its_padding(score: Score) -> None:
    network = make("classifier")
    alone = by_texts(network, [_row(batch(4), row) for row in range(4)], losses(network), score)
    together = by_texts(network, [batch(4, padding=3)], losses(network), score)
    assert alone.num_examples == together.num_examples == 4
    for key, found in alone.parts.items():
        if key != HIDDEN or score == "taylor":
            torch.testing.assert_close(found, together.parts[key], rtol=1e-4, atol=1e-7)
    for side, layers in alone.layers.items():
        torch.testing.assert_close(layers, together.layers[side], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_by_attention_every_head_of_every_stack_is_scored_by_how_surely_it_looks(name: str) -> None:
    network = make(name)
    parts, layout = Parts.of(network.config), layout_of(network.config)
    found = by_texts(network, [batch(4, tokens=9, padding=2)], losses(network), "attention")
    keys = {key for key, kind, _ in readers_of(network, layout) if kind != "feed"}
    assert keys < set(found.parts)
    assert all(len(found.parts[key]) == parts.heads[key.partition(".")[0]] for key in keys)
    assert all(0.0 < float(one) < 4.0 for key in keys for one in found.parts[key])  # four texts, each below 1


def test_confidence_is_the_greatest_weight_on_a_word_that_neither_begins_nor_ends_the_text() -> None:
    sure = [[0.9, 0.1, 0.0, 0.0], [0.1, 0.7, 0.2, 0.0], [0.2, 0.5, 0.3, 0.0], [0.0, 0.0, 1.0, 0.0]]
    flat = [[0.25] * 4] * 4
    attention = torch.tensor([[sure, flat]])
    mask = torch.ones(1, 4, dtype=torch.bool)
    torch.testing.assert_close(confidence(attention, mask, mask), torch.tensor([[(0.1 + 0.7 + 0.5 + 1.0) / 4, 0.25]]))
    mask[0, 3] = False  # padding neither looks nor is looked at: the third token now ends the text
    torch.testing.assert_close(confidence(attention, mask, mask), torch.tensor([[(0.1 + 0.7 + 0.5) / 3, 0.25]]))


def _row(given: Batch, row: int) -> Batch:
    return {name: part[row : row + 1] for name, part in given.items()}  # type: ignore[return-value, attr-defined]


def test_a_gradient_score_is_the_slope_of_the_loss_in_a_gate() -> None:
    network = make("classifier").double()
    given = batch(1)
    score = by_texts(network, [given], losses(network)).parts["layers.2.feed"][3].item()
    reader = next(one for key, _, one in readers_of(network, layout_of(network.config)) if key == "layers.2.feed")
    found = []
    for gate in (1.0 - 1e-2, 1.0 + 1e-2):
        weight = reader.weight.data.clone()
        reader.weight.data[:, 3] *= gate
        with torch.no_grad():
            found.append(float(losses(network)(given)))  # type: ignore[operator]
        reader.weight.data.copy_(weight)
    assert score == pytest.approx(abs(found[1] - found[0]) / 2e-2, rel=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_a_heads_score_is_the_slope_of_the_loss_in_all_that_it_says(name: str) -> None:
    network, given = make(name).eval(), batch(4, padding=2)
    width, found, said = Parts.of(network.config).head_dim, {}, {}
    for key, kind, reader in readers_of(network, layout_of(network.config)):
        if kind != "feed":
            reader.register_forward_pre_hook(lambda _, inputs, key=key: said.update({key: inputs[0]}))
    slopes = torch.autograd.grad(losses(network)(given).sum(), [*said.values()])  # type: ignore[operator]
    for (key, states), slope in zip([*said.items()], slopes, strict=True):
        found[key] = (states * slope).sum(1).view(4, -1, width).sum(2).abs().sum(0).double()
    scores = by_texts(network, [given], losses(network)).parts
    assert {key for key in scores if key.endswith(("self", "cross"))} == set(found)
    for key, wanted in found.items():
        torch.testing.assert_close(scores[key], wanted, rtol=1e-4, atol=1e-7)


def test_scoring_leaves_the_network_as_it_was() -> None:
    network = make("llama").train()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    by_texts(network, [batch(2)], losses(network))
    assert network.training
    assert all(one.requires_grad and one.grad is None for one in network.parameters())
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_as_many_parts_stay_in_each_layer_and_the_network_runs(name: str) -> None:
    network = make(name)
    scores = by_texts(network, [batch(4)], losses(network))
    can_narrow = name in ("classifier", "llama", "t5")
    shares = Shares(
        heads=0.5 if can_narrow else 0.0, feed_forward=0.5, hidden=0.0 if name == "marian" else 0.5, layers=0.5
    )
    small = prune(network, choose(network.config, scores, shares))
    parts = Parts.of(small.config)
    assert set(parts.layers.values()) == {1}
    assert set(parts.feed_forward.values()) == {6}
    assert torch.isfinite(run(small)).all()


def test_heads_that_share_keys_stay_or_go_together() -> None:
    network = make("llama")
    plan = choose(network.config, by_weights(network), Shares(heads=0.5))
    assert all(heads in ([0, 1], [2, 3]) for heads in plan.heads.values())


def test_a_stock_encoder_gives_up_heads_with_its_width_alone() -> None:
    network = make("bert")
    with pytest.raises(ValueError, match="--hidden 0.5; or leave --heads out"):
        choose(network.config, by_weights(network), Shares(heads=0.5))
    small = prune(network, choose(network.config, by_weights(network), Shares(hidden=0.5)))
    assert (small.config.hidden_size, small.config.num_attention_heads) == (8, 2)


def test_layers_are_spread_where_weights_alone_are_read() -> None:
    plan = choose(make("bert").config, by_weights(make("bert")), Shares(layers=0.5))
    assert plan.layers == {"layers": [1]}


@pytest.mark.parametrize("share", [-0.1, 1.0, 2.0])
def test_a_share_that_is_none_is_told(share: float) -> None:
    with pytest.raises(ValueError, match=r"--heads is .*; expected the share to take away"):
        Shares(heads=share)
