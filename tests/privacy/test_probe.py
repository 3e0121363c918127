"""The probe takes examples at random, leaves random numbers as they were, and names buffers that a forward pass moves."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from slimlit.privacy.engine import ClippedGradients
from slimlit.privacy.probe import check_examples_are_apart
from slimlit.types import Batch

from .networks import ARCHITECTURES, losses_of, make, make_batch, pick, trained


def probe(network: nn.Module, batch: Batch, losses: Callable[[Batch], Tensor] | None = None) -> None:
    engine = ClippedGradients(trained(network), 1.0)
    check_examples_are_apart(engine, losses or network, [network], batch)


class Watched(nn.Module):
    """A table and a linear layer, with something between that looks at the activations."""

    def __init__(self, between: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table, self.linear, self.between = nn.Embedding(61, 8), nn.Linear(8, 2), between or nn.Identity()
        self.seen: list[Tensor] = []

    def forward(self, batch: Batch) -> Tensor:
        self.seen.append(batch["example_id"])
        states = self.between(self.table(batch["input_ids"]).transpose(1, 2)).transpose(1, 2)
        return self.linear(states).square().mean((1, 2))  # type: ignore[no-any-return]


class Average(nn.Module):
    """Looks at activations and leaves them alone: ``how`` tells what it keeps."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        if how != "made in the first pass":
            self.register_buffer("average", torch.full((8,), torch.nan if how == "not a number" else 0.0))

    def forward(self, states: Tensor) -> Tensor:
        now = states.detach().mean((0, 2))
        if self.how == "in place":
            self.average.mul_(0.9).add_(0.1 * now)
        elif self.how == "replaced":
            self.average = 0.9 * self.average + 0.1 * now
        elif self.how == "grows":
            self.average = torch.cat([self.average, now])
        elif self.how == "made in the first pass":
            before = self.average if hasattr(self, "average") else torch.zeros(8)
            self.register_buffer("average", 0.9 * before + 0.1 * now)
        elif self.how == "same again":
            self.average = self.average.clone()
        elif self.how == "mask":
            self.register_buffer("mask", torch.ones(states.shape[2], states.shape[2]).tril(), persistent=False)
        return states


def test_the_examples_are_drawn_at_random_from_the_real_rows() -> None:
    network, batch = Watched(), make_batch(40)
    batch["example_id"][::4] = -1
    taken = []
    for seed in range(3):
        torch.manual_seed(seed)
        network.seen = []
        network.requires_grad_(True)
        probe(network, batch)
        taken.append(tuple(network.seen[0].tolist()))
        assert len(set(taken[-1])) == 8
        assert min(taken[-1]) >= 0
    assert len(set(taken)) == 3
    assert max(max(one) for one in taken) > 20


class Draws(Watched):
    """Draws random numbers of the device in a forward pass."""

    def forward(self, batch: Batch) -> Tensor:
        torch.rand(3, device=batch["input_ids"].device)
        return super().forward(batch)


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]
)
def test_random_numbers_after_the_probe_are_those_there_would_be_without_it(device: str) -> None:
    network, batch = Draws().to(device), Batch(**{k: v.to(device) for k, v in make_batch().items()})  # type: ignore[typeddict-item, attr-defined]
    torch.manual_seed(1)
    wanted = torch.rand(3), torch.rand(3, device=device)
    torch.manual_seed(1)
    probe(network, batch)
    assert torch.equal(torch.rand(3), wanted[0])
    assert torch.equal(torch.rand(3, device=device), wanted[1])


@pytest.mark.parametrize("how", ["in place", "replaced", "grows", "made in the first pass"])
def test_a_buffer_that_gathers_statistics_of_activations_is_named(how: str) -> None:
    network = Watched(Average(how))
    with pytest.raises(ValueError, match="moves the buffer average of Average.*\n.*track_running_stats"):
        probe(network, make_batch())


@pytest.mark.parametrize("how", ["in place", "replaced", "grows"])
def test_a_buffer_that_moved_is_put_back(how: str) -> None:
    network = Watched(Average(how))
    before = network.between.average
    with pytest.raises(ValueError, match="moves the buffer"):
        probe(network, make_batch())
    assert network.between.average is before
    assert torch.equal(network.between.average, torch.zeros(8))


def test_statistics_of_instance_norm_are_named() -> None:
    network = Watched(nn.InstanceNorm1d(8, track_running_stats=True))
    with pytest.raises(ValueError, match="moves the buffer running_mean of InstanceNorm1d, running_var"):
        probe(network, make_batch())
    assert torch.equal(network.between.running_mean, torch.zeros(8))


@pytest.mark.parametrize("how", ["same again", "mask", "not a number"])
def test_a_buffer_that_only_saves_time_passes(how: str) -> None:
    probe(Watched(Average(how)), make_batch())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_passes(name: str) -> None:
    network = make(name)
    probe(network, make_batch(), lambda batch: losses_of(network, batch))


def test_a_batch_that_is_short_passes() -> None:
    probe(Watched(), pick(make_batch(), slice(0, 2)))
