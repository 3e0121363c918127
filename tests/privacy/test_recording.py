"""Rows that are examples in their order are known from rows that are not, and one forward pass is gone back over once."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from slimlit.privacy.engine import ClippedGradients
from slimlit.types import Batch

from .networks import make_batch, trained
from .test_engine import by_engine, clipped_sum, distance, norm

Rows = Callable[[Tensor], Tensor]
ORDER = torch.tensor([3, 0, 6, 2, 5, 1, 4])
NUMBERS = torch.arange(7)


class Moved(nn.Module):
    """Reads a table, does something to what it read, and applies a linear layer."""

    def __init__(self, move: Rows) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.move, self.table, self.linear = move, nn.Embedding(61, 8), nn.Linear(8, 2)

    def forward(self, batch: Batch) -> Tensor:
        states = self.linear(self.move(self.table(batch["input_ids"]).tanh()))
        return states.reshape(7, -1).square().mean(1)


def written(states: Tensor, index: Any) -> Tensor:
    out = torch.zeros(7, 7, 8)
    out[index] = states
    return out


MIXING: dict[str, Rows] = {
    "index": lambda x: x[ORDER],
    "list": lambda x: x[ORDER.tolist()],
    "index and slice": lambda x: x[ORDER, :],
    "index after a new dimension": lambda x: x[None, ORDER].squeeze(0),
    "index after an ellipsis": lambda x: x[..., ORDER, :, :],
    "two indices apart": lambda x: x.unsqueeze(2).expand(7, 7, 7, 8)[:, ORDER, :, ORDER],
    "index of more dimensions": lambda x: x[NUMBERS, NUMBERS.expand(7, 7)],
    "numbers, but not all": lambda x: x[NUMBERS[:6]],
    "numbers, backwards": lambda x: x[NUMBERS.flip(0)],
    "slice": lambda x: x[1:],
    "one row": lambda x: x[0],
    "index_select": lambda x: x.index_select(0, ORDER),
    "gather": lambda x: x.gather(0, ORDER[:, None, None].expand(7, 7, 8)),
    "gather of fewer": lambda x: x.gather(1, ORDER[None, :, None].expand(1, 7, 8)),
    "take_along_dim": lambda x: torch.take_along_dim(x, ORDER[:, None, None], 0),
    "sort": lambda x: x.sort(0).values,
    "sort by name": lambda x: torch.sort(x, dim=-3)[0],
    "topk": lambda x: x.topk(7, dim=0).values,
    "flip": lambda x: x.flip(0),
    "flip of two": lambda x: x.flip((1, 0)),
    "roll": lambda x: x.roll(1, 0),
    "roll of all": lambda x: x.roll(1),
    "repeat": lambda x: x.repeat(2, 1, 1),
    "tile": lambda x: x.tile(2, 1, 1),
    "expand": lambda x: x.expand(7, 7, 7, 8),
    "repeats of each its own": lambda x: x.repeat_interleave(torch.tensor([2, 0, 1, 1, 1, 1, 1]), 0),
    "split": lambda x: x.split(6)[0],
    "unbind": lambda x: x.unbind()[2],
    "narrow": lambda x: x.narrow(0, 0, 5),
    "transpose in place": lambda x: x.clone().transpose_(0, 1),
    "T of two dimensions": lambda x: x[:, :, 0].T[:, :, None].expand(7, 7, 8),
    "movedim": lambda x: x.movedim(0, 1),
    "written elsewhere": lambda x: written(x, ORDER),
    "index_add": lambda x: torch.zeros(7, 7, 8).index_add_(0, ORDER, x),
    "index_copy": lambda x: torch.zeros(7, 7, 8).index_copy(0, ORDER, x),
    "behind a new first dimension": lambda x: x.reshape(1, 7, 7, 8).flip(1).reshape(7, 7, 8),
    "where": lambda x: x[torch.where(x[:, 0, 0] > 0)],
}
KEEPING: dict[str, Rows] = {
    "the numbers of the rows": lambda x: x[NUMBERS, NUMBERS.flip(0)],
    "and of more dimensions": lambda x: x[NUMBERS[:, None], NUMBERS.flip(0)[None]],
    "index of tokens": lambda x: x[:, ORDER],
    "tokens in another order": lambda x: x.gather(1, ORDER[None, :, None].expand(7, 7, 8)).flip(1).sort(1).values,
    "last tokens": lambda x: x[:, -3:],
    "halves": lambda x: torch.cat(x.chunk(2, dim=-1)[::-1], dim=-1),
    "flattened": lambda x: x.reshape(49, 8),
    "repeated side by side": lambda x: x.repeat_interleave(2, 0),
    "repeated along tokens": lambda x: x.repeat(1, 2, 1),
    "expanded and turned": lambda x: x[:, None].expand(-1, 2, -1, -1).transpose(1, 2),
    "written in place": lambda x: written(x[:, 1:], (slice(None), slice(1, None))),
}


@pytest.mark.parametrize("name", MIXING)
def test_rows_that_were_picked_moved_or_repeated_are_no_examples(name: str) -> None:
    network = Moved(MIXING[name])
    with pytest.raises(ValueError, match="no longer examples"):
        by_engine(ClippedGradients(trained(network), 1.0), network, make_batch())


@pytest.mark.parametrize("name", KEEPING)
def test_what_leaves_the_examples_in_their_order_is_clipped_exactly(name: str) -> None:
    network, batch = Moved(KEEPING[name]), make_batch()
    parameters = trained(network)
    singles = [dict(zip(parameters, torch.autograd.grad(loss, list(parameters.values()), retain_graph=True), strict=True))
               for loss in network(batch)]  # fmt: skip
    bound = sorted(map(norm, singles))[3]
    found = by_engine(ClippedGradients(parameters, bound), network, batch)
    assert distance(found, clipped_sum(singles, bound)) < 1e-5


def test_a_network_that_sorts_its_rows_is_refused_even_where_they_are_sorted() -> None:
    def sorts(states: Tensor) -> Tensor:
        order = states[:, 0, 0].argsort()
        return states[order]

    network, batch = Moved(sorts), make_batch()
    order = network.table(batch["input_ids"])[:, 0, 0].argsort()
    batch = Batch(**{name: part[order] for name, part in batch.items()})  # type: ignore[typeddict-item, index]
    with pytest.raises(ValueError, match="no longer examples"):
        by_engine(ClippedGradients(trained(network), 1.0), network, batch)


class Several(nn.Module):
    """One way of using parameters at a time."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.table, self.linear = how, nn.Embedding(61, 8), nn.Linear(8, 2)
        self.norm, self.conv, self.scale = nn.LayerNorm(8), nn.Conv1d(7, 2, 3), nn.Parameter(torch.ones(8))

    def forward(self, batch: Batch) -> Tensor:
        fixed = functional.one_hot(batch["input_ids"] % 8, 8).float()
        uses = {"table": lambda: self.table(batch["input_ids"]), "scale": lambda: fixed * self.scale}
        uses |= {name: lambda: getattr(self, self.how)(fixed) for name in ("linear", "norm", "conv")}
        return uses[self.how]().sum((1, 2))  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["table", "linear", "norm", "conv", "scale"])
def test_a_second_backward_pass_over_one_forward_pass_is_refused_in_a_sentence(how: str) -> None:
    network, batch = Several(how), make_batch()
    engine = ClippedGradients(trained(network), 1.0)
    with engine.recording(batch, 7):
        losses = network(batch)
    total = engine.watch(losses).sum()
    total.backward(retain_graph=True)
    with pytest.raises(
        ValueError, match=r"^a second backward pass over one forward pass .* run the forward pass again$"
    ):
        total.backward()
