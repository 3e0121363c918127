"""``Blocks``: one pass over the counted tokens of a batch, a block of them at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.types import WordHead
from slimlit.vocabulary.head import Head, autocast_dtype, product_dtype, sum_dtype
from slimlit.vocabulary.target import Target

BUDGET = 64.0  # MiB
LEAST = 256  # tokens: of fewer a product with very many words is slow (experiments/vocabulary_loss)


@dataclass(frozen=True)
class Block:
    """Some counted tokens.

    ``slopes`` is the gradient of their losses ``D`` at the logits over the temperature, and is overwritten by the next
    block's; that of the example's mean at the true logits is ``scales`` times it.
    """

    head: Head
    places: Int[Tensor, " some"]
    examples: Int[Tensor, " some"]
    scales: Float[Tensor, " some"]
    losses: Float[Tensor, " some"]
    slopes: Float[Tensor, "some words"] | None


class Blocks:
    """One pass over a batch.

    Args:
        student: hidden states and the words.
        target: what they are compared with.
        counted: the tokens whose loss is asked for; others cost nothing.
        num_words: the first words, which are chosen among.
        budget: MiB of logits to hold at once; the room of 256 tokens unless given, or 64 where that is more.
        whole_examples: never divide an example between two blocks, whatever the budget.
    """

    def __init__(
        self,
        student: WordHead,
        target: Target,
        counted: Bool[Tensor, "batch tokens"],
        num_words: int,
        budget: float | None = None,
        whole_examples: bool = False,
    ) -> None:
        self.student, self.target, self.num_words = student, target, num_words
        self.cast = autocast_dtype(student.hidden.device)  # of the forward pass: a second run is the same bit for bit
        self.counts: Tensor = counted.sum(dim=1)
        self.places = counted.flatten().nonzero().flatten()
        row = num_words * target.num_rooms * (8 if self.sum_dtype == torch.float64 else 4)
        self.num_rows = rows_within(budget, row)
        self.whole_examples = whole_examples

    @property
    def sum_dtype(self) -> torch.dtype:
        """What losses and gradients are summed in."""
        return sum_dtype(product_dtype(self.student, self.cast))

    def stretches(self) -> list[slice]:
        """Where the blocks begin and end among the counted tokens."""
        if not self.whole_examples:
            return [slice(at, at + self.num_rows) for at in range(0, len(self.places), self.num_rows)]
        found, start, end = [], 0, 0
        for count in self.counts.tolist():
            if end > start and end + count - start > self.num_rows:
                found.append(slice(start, end))
                start = end
            end += count
        return [*found, slice(start, end)] if end > start else found

    def run(self, gradient: bool) -> Iterator[Block]:
        """Every block once; without ``gradient``, their ``slopes`` are left out."""
        stretches, tau = self.stretches(), self.target.temperature
        with torch.no_grad(), torch.autocast(self.places.device.type, enabled=False):
            head = Head.of(self.student, self.num_words, tau, self.cast)
            target = self.target.prepare(self.num_words, self.cast)
            examples = torch.arange(len(self.counts), device=self.counts.device).repeat_interleave(self.counts)
            room = head.room(max((len(self.places[stretch]) for stretch in stretches), default=0))
            for stretch in stretches:
                places, owners = self.places[stretch], examples[stretch]
                logits = head.logits(places, room)
                losses = tau**2 * target.losses(places, logits, gradient)
                scales = tau / self.counts[owners].to(logits.dtype)
                yield Block(head, places, owners, scales, losses, logits if gradient else None)


def rows_within(budget: float | None, row: int) -> int:
    """How many rows of ``row`` bytes a block has: one at least."""
    return max(LEAST if budget is None else 1, int((BUDGET if budget is None else budget) * 2**20) // row)
