"""``Target``: what a student's words are compared with; one formula for the loss of a token and its gradient."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

_STRIP = 2**20  # bytes: what a processor's cache holds while several passes go over it


@runtime_checkable
class Target(Protocol):
    """What the words of each token are compared with; holds a row for each token of the batch."""

    @property
    def temperature(self) -> float:
        """What both sides' logits are divided by."""

    @property
    def num_rooms(self) -> int:
        """Blocks of logits it needs at once, the student's one included."""

    def prepare(self, num_words: int, cast: torch.dtype | None) -> "Prepared":
        """Make ready for one pass over the batch, choosing among the first ``num_words`` words; products in ``cast``, autocast's."""


@runtime_checkable
class Prepared(Protocol):
    """A target in one pass over a batch."""

    def losses(
        self, places: Int[Tensor, " some"], logits: Float[Tensor, "some words"], gradient: bool
    ) -> Float[Tensor, " some"]:
        """``D``, from logits over the temperature; with ``gradient``, they are overwritten by its gradient at them.

        The loss of a token is ``tau^2 D``, so the gradient at the true logits is ``tau`` times this one.
        """


def strips(logits: Float[Tensor, "some words"]) -> Iterator[slice]:
    """Stretches of rows that stay in a processor's cache; elsewhere all rows at once."""
    size = max(2, _STRIP // (logits.shape[1] * logits.itemsize)) if logits.device.type == "cpu" else len(logits)
    yield from (slice(start, start + size) for start in range(0, len(logits), size))


def dots(one: Float[Tensor, "rows words"], other: Float[Tensor, "rows words"]) -> Float[Tensor, " rows"]:
    """The inner product of each pair of rows, without a third matrix."""
    return torch.bmm(one.unsqueeze(1), other.unsqueeze(2)).flatten()
