"""The clipped sum equals a brute-force loop over single examples, for every architecture and every loss."""

from collections.abc import Callable, Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from slimlit.privacy.engine import ClippedGradients, Clipping
from slimlit.types import Batch

from .networks import ARCHITECTURES, Distilled, losses_of, make, make_batch, pick, trained

Losses = Callable[[Batch], Tensor]


def brute_force(losses: Losses, parameters: Mapping[str, Tensor], batch: Batch) -> list[dict[str, Tensor]]:
    """The gradient of each example, from a backward pass of its own."""
    found = []
    for row in range(len(batch["input_ids"])):
        loss = losses(pick(batch, slice(row, row + 1))).sum()
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        found.append(
            {
                name: torch.zeros_like(parameter) if gradient is None else gradient
                for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True)
            }
        )
    return found


def norm(gradient: Mapping[str, Tensor]) -> float:
    return sum(float(part.double().square().sum()) for part in gradient.values()) ** 0.5


def clipped_sum(gradients: list[dict[str, Tensor]], bound: float) -> dict[str, Tensor]:
    factors = [min(1.0, bound / norm(gradient)) for gradient in gradients]
    return {
        name: sum((part[name].double() * by for part, by in zip(gradients, factors, strict=True)), torch.zeros(()))
        for name in gradients[0]
    }


def by_engine(engine: ClippedGradients, losses: Losses, batch: Batch) -> dict[str, Tensor]:
    with engine.recording(batch, len(batch["input_ids"])):
        each = losses(batch)
    engine.watch(each).mean().backward()
    engine.clip()
    return engine.take()


def distance(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> float:
    return norm({name: found[name] - wanted[name] for name in wanted}) / norm(wanted)


def compare(losses: Losses, parameters: Mapping[str, nn.Parameter], batch: Batch) -> None:
    singles = brute_force(losses, parameters, batch)
    norms = sorted(norm(single) for single in singles)
    for bound in (norms[len(norms) // 2], 1e6, 1e-3 * norms[0]):
        engine = ClippedGradients(parameters, bound)
        assert distance(by_engine(engine, losses, batch), clipped_sum(singles, bound)) < 1e-5
        assert engine.norms is not None
        assert engine.norms.sort().values.tolist() == pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("padded", [True, False])
def test_the_clipped_sum_is_that_of_single_backward_passes(name: str, padded: bool) -> None:
    network = make(name)
    compare(lambda batch: losses_of(network, batch), trained(network), make_batch(padded=padded))


@pytest.mark.parametrize("kind", ["hard", "soft", "hidden", "relations", "pooling", "shares", "sum"])
def test_and_through_every_loss_of_distillation_with_its_projections(kind: str) -> None:
    pair = Distilled(kind)
    compare(pair.losses, trained(pair), make_batch())


def test_one_example_never_adds_more_than_the_bound() -> None:
    network = make("ours, attention pooling")
    rules: tuple[Clipping, ...] = ("flat", "per_layer", "automatic")
    for clipping in rules:
        for bound in (1e-4, 0.1, 50.0):
            engine = ClippedGradients(trained(network), bound, clipping)
            for row in range(4):
                alone = by_engine(engine, lambda b: losses_of(network, b) * 30, pick(make_batch(), slice(row, row + 1)))
                assert norm(alone) <= bound * (1 + 1e-5)
            network.requires_grad_(True)


@pytest.mark.parametrize("clipping", ["flat", "per_layer", "automatic"])
@pytest.mark.parametrize("bound", [1e-3, 1e3])
def test_sums_of_disjoint_batches_add_up(clipping: Clipping, bound: float) -> None:
    network, batch = make("bert, tied language model"), make_batch()
    engine = ClippedGradients(trained(network), bound, clipping)
    together = by_engine(engine, lambda b: losses_of(network, b), batch)
    parts = [by_engine(engine, lambda b: losses_of(network, b), pick(batch, slice(*ends))) for ends in ((0, 3), (3, 7))]
    assert distance({name: parts[0][name] + parts[1][name] for name in together}, together) < 1e-5


@pytest.mark.parametrize("name", ["bert, tied language model", "t5, tied", "ours, attention pooling"])
def test_units_of_several_examples_are_clipped_together(name: str) -> None:
    network, batch = make(name), make_batch()
    units = torch.tensor([2, 0, 1, 0, 2, 2, 3])
    singles = brute_force(lambda b: losses_of(network, b), trained(network), batch)
    groups = [
        {key: sum((singles[row][key] for row in range(7) if units[row] == unit), torch.zeros(())) for key in singles[0]}
        for unit in range(4)
    ]
    bound = sorted(map(norm, groups))[1]
    engine = ClippedGradients(trained(network), bound)
    with engine.recording(batch, 7):
        losses = losses_of(network, batch)
    engine.watch(losses).sum().backward()
    engine.clip(units)
    assert distance(engine.take(), clipped_sum(groups, bound)) < 1e-5


def test_per_layer_gives_each_module_an_equal_share() -> None:
    network, batch = make("bert"), make_batch(1)
    engine = ClippedGradients(trained(network), 1e-3, "per_layer")
    found = by_engine(engine, lambda b: losses_of(network, b), batch)
    share = 1e-3 / len(engine.groups()) ** 0.5
    classifier = norm({name: part for name, part in found.items() if name.startswith("classifier.")})
    assert classifier == pytest.approx(share, rel=1e-4)


def test_nothing_is_left_in_grad_and_the_reduction_does_not_matter() -> None:
    network, batch = make("bert"), make_batch()
    engine = ClippedGradients(trained(network), 0.1)
    sums = []
    for reduce in (lambda x: x.mean(), lambda x: x.sum() * 1e4, lambda x: x.square().sum() / 3):
        with engine.recording(batch, 7):
            losses = losses_of(network, batch)
        reduce(engine.watch(losses)).backward()
        engine.clip()
        sums.append(engine.take())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert distance(sums[1], sums[0]) == distance(sums[2], sums[0]) == 0.0


def test_rows_of_weight_zero_and_rows_that_are_not_finite_add_nothing() -> None:
    network, batch = make("bert"), make_batch()
    engine = ClippedGradients(trained(network), 0.1)
    wanted = by_engine(engine, lambda b: losses_of(network, b), pick(batch, slice(0, 5)))
    with engine.recording(batch, 7):
        losses = losses_of(network, batch)
    engine.watch(losses, torch.tensor([1.0, 1, 1, 1, 1, 0, 0])).sum().backward()
    engine.clip()
    assert distance(engine.take(), wanted) < 1e-5
    broken = torch.tensor([1.0, 1, 1, 1, 1, torch.nan, torch.inf])
    found = by_engine(engine, lambda b: losses_of(network, b) * broken, batch)
    assert engine.num_dropped == 2
    assert distance(found, wanted) < 1e-5


def test_a_nan_in_one_example_is_dropped_and_counted() -> None:
    network, batch = make("bert"), make_batch()
    engine = ClippedGradients(trained(network), 0.1)
    wanted = by_engine(engine, lambda b: losses_of(network, b), pick(batch, slice(0, 6)))

    def poisoned(b: Batch) -> Tensor:
        rows = torch.ones(7).index_fill(0, torch.tensor([6]), torch.nan)
        embeddings = network.get_input_embeddings()(b["input_ids"]) * rows[:, None, None]  # type: ignore[operator]
        logits = network(inputs_embeds=embeddings, attention_mask=b["attention_mask"]).logits
        return functional.cross_entropy(logits, b["labels"], reduction="none")

    found = by_engine(engine, poisoned, batch)
    assert engine.num_dropped == 1
    assert distance(found, wanted) < 1e-5


class Odd(nn.Module):
    """Uses of parameters that no handler knows by name."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(61, 8)
        self.scale = nn.Parameter(torch.randn(8))
        self.mix = nn.Parameter(torch.randn(8, 8))
        self.start = nn.Parameter(torch.randn(1, 1, 8))
        self.norm = nn.GroupNorm(2, 8)
        self.conv = nn.Conv1d(8, 4, 3, padding=1)
        self.out = nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))

    def forward(self, batch: Batch) -> Tensor:
        states = self.table(batch["input_ids"])
        states = torch.cat([self.start.expand(len(states), -1, -1), states], dim=1)
        states = torch.einsum("btd,de->bte", states * self.scale.sigmoid(), self.mix + self.mix.t()) @ self.mix
        states = self.conv(self.norm(states.transpose(1, 2))).mean(2)
        return functional.cross_entropy(self.out(states), batch["labels"], reduction="none")


def test_unforeseen_uses_go_through_vmap() -> None:
    torch.manual_seed(0)
    network = Odd()
    compare(network, trained(network), make_batch())


class Wrong(nn.Module):
    """Networks whose examples are not apart."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.table, self.linear = how, nn.Embedding(61, 8), nn.Linear(8, 2)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, batch: Batch) -> Tensor:
        states = self.table(batch["input_ids"])
        if self.how == "mask":
            return self.linear(states[batch["attention_mask"].bool()])[:7].sum(1)
        if self.how == "turned":
            return self.linear(states.transpose(0, 1)).sum((0, 2))
        if self.how == "batch norm":
            return self.linear(self.norm(states[:, 0])).sum(1)
        return self.linear(states).mean(dim=(1, 2)).mean()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("mask", "no longer examples"),
        ("turned", "no longer examples"),
        ("batch norm", "BatchNorm mixes"),
        ("mean", "one number an example"),
    ],
)
def test_networks_that_tie_examples_together_are_refused_by_name(how: str, said: str) -> None:
    network, batch = Wrong(how), make_batch()
    engine = ClippedGradients(trained(network), 1.0)
    with pytest.raises(ValueError, match=said):
        by_engine(engine, network, batch)


def test_bounds_hold_in_float32_under_bf16_autocast() -> None:
    network, batch = make("ours, attention pooling"), make_batch()

    def losses(rows: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return losses_of(network, rows).float()

    engine = ClippedGradients(trained(network), 1e-3)
    for row in range(7):
        assert norm(by_engine(engine, losses, pick(batch, slice(row, row + 1)))) <= 1e-3 * (1 + 1e-5)
    together = by_engine(engine, losses, batch)
    assert all(part.dtype == torch.float32 for part in together.values())
    network.requires_grad_(True)
    exact = by_engine(ClippedGradients(trained(network), 1e-3), lambda b: losses_of(network, b), batch)
    assert distance(together, exact) < 0.05
