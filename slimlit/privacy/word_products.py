"""``WordProducts``: what a loss over a whole vocabulary adds to the words, example by example, without holding it."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.privacy.gram import Gram
from slimlit.vocabulary.blocks import Block, Blocks

CANCELS = 64.0  # past this share of cancelled to kept squares a norm is made from the whole gradient
_WORDS = 4096  # words of a gradient made whole at once


class WordProducts:
    """``factors[b] sum_r slopes[b, r] hidden[b, r]^T``, its slopes (one for each word) made anew where they are needed.

    It watches the forward pass, whose blocks hold whole examples. Of each it keeps the squared norm, from two Gram matrices,
    and the rows of the gradient at the words that the example looks up: enough to clip it, tied or not. The sum of clipped
    gradients then takes a second pass over the blocks, the same bit for bit, whose rows are scaled before they are added.

    Args:
        blocks: the pass; of whole examples.
        lookups: words that each example looks up in the same parameter.
        of_weight: keep what belongs to the words; else only what belongs to the bias.
        of_bias: keep what belongs to the bias.
    """

    def __init__(self, blocks: Blocks, lookups: list[Int[Tensor, "batch _"]], of_weight: bool, of_bias: bool) -> None:
        self.blocks, self.of_weight = blocks, of_weight
        hidden, batch = blocks.student.hidden, len(blocks.counts)
        self.factors = torch.ones(batch, device=hidden.device)
        self.squares = torch.zeros(batch, device=hidden.device)
        self.words = torch.cat(lookups, dim=1).sort(dim=1).values if lookups else None
        looked = 0 if self.words is None else self.words.shape[1]
        self.rows = torch.zeros(batch, looked, hidden.shape[2], device=hidden.device)
        num_words = len(blocks.student.weight)
        self.bias = torch.zeros(batch, num_words, device=hidden.device) if of_bias else None

    def __call__(self, block: Block) -> None:
        """Keep what is needed of the examples of a block."""
        assert block.slopes is not None
        states = block.head.states(block.places).float() * block.scales.float().unsqueeze(1)
        start = 0
        for example, count in zip(
            *(part.tolist() for part in torch.unique_consecutive(block.examples, return_counts=True)), strict=True
        ):
            rows = slice(start, start + count)
            slopes = block.slopes[rows].float()
            if self.of_weight:
                self.squares[example] = _square(slopes, states[rows])
                if self.words is not None:
                    self._keep_rows(example, slopes, states[rows])
            if self.bias is not None:
                self.bias[example, : slopes.shape[1]] = slopes.t() @ block.scales[rows].float()
            start += count

    def _keep_rows(
        self, example: int, slopes: Float[Tensor, "rows words"], states: Float[Tensor, "rows width"]
    ) -> None:
        """Keep the rows of the gradient at words that are looked up; those past the words there are stay zero."""
        assert self.words is not None
        words = self.words[example]
        known = words < slopes.shape[1]
        at = slopes.index_select(1, words.clamp(max=slopes.shape[1] - 1)) * known
        self.rows[example] = at.t() @ states

    def with_factors(self, factors: Float[Tensor, " batch"]) -> "WordProducts":
        """The same, each example times its factor."""
        self.factors = factors.float()
        return self

    def squared_norms(self) -> Float[Tensor, " batch"]:
        """Squared norms."""
        return self.squares * self.factors.square()

    def knows(self, indices: Int[Tensor, "batch rows"]) -> bool:
        """Whether the gradient's rows at these words were kept."""
        if self.words is None:
            return False
        return bool((self.words.gather(1, self._place(indices)) == indices).all())

    def cross(
        self, indices: Int[Tensor, "batch rows"], rows: Float[Tensor, "batch rows out"]
    ) -> Float[Tensor, " batch"]:
        """Inner products with rows at some words, each of which was kept."""
        mine = self.rows.gather(1, self._place(indices).unsqueeze(2).expand(-1, -1, self.rows.shape[2]))
        return self.factors * (mine * rows.float()).sum((1, 2))

    def _place(self, indices: Int[Tensor, "batch rows"]) -> Int[Tensor, "batch rows"]:
        assert self.words is not None
        return torch.searchsorted(self.words, indices.contiguous()).clamp(max=self.words.shape[1] - 1)

    def blank(self, bad: Bool[Tensor, " batch"]) -> None:
        """Make the parts of some examples zero, whatever they hold."""
        self.factors = self.factors.masked_fill(bad, 0.0)

    def add_to(self, total: Tensor, factors: Float[Tensor, " batch"]) -> None:
        """Add the sum over examples, each times its factor; those of factor zero are not read."""
        factors = factors * self.factors
        for block in self.blocks.run(gradient=True):
            states, slopes, left_out = self._scaled(block, factors)
            slopes.masked_fill_(left_out, 0.0)
            total[: slopes.shape[1]].addmm_(slopes.t(), states)

    def held(self) -> tuple[Float[Tensor, "batch rows width"], Float[Tensor, "batch rows vocabulary"]]:
        """Hidden states and slopes of all examples, whole: padded with zeros, factors included."""
        student, counts = self.blocks.student, self.blocks.counts
        most, starts = max(1, int(counts.max())), counts.cumsum(0) - counts
        states = student.hidden.new_zeros(len(counts), most, student.hidden.shape[2], dtype=torch.float32)
        slopes = states.new_zeros(len(counts), most, len(student.weight))
        start = 0
        for block in self.blocks.run(gradient=True):
            row = torch.arange(start, start + len(block.places), device=counts.device) - starts[block.examples]
            some, found, left_out = self._scaled(block, self.factors)
            states[block.examples, row] = some
            slopes[block.examples, row, : found.shape[1]] = found.masked_fill_(left_out, 0.0)
            start += len(block.places)
        return states, slopes

    def _scaled(self, block: Block, factors: Float[Tensor, " batch"]) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states times scales and factors, slopes as they are, and which rows have the factor zero."""
        assert block.slopes is not None
        by = (block.scales.float() * factors[block.examples]).unsqueeze(1)
        left_out = by == 0.0
        states = (block.head.states(block.places).float() * by).masked_fill(left_out, 0.0)
        return states, block.slopes.float(), left_out


def _square(slopes: Float[Tensor, "rows words"], states: Float[Tensor, "rows width"]) -> Float[Tensor, ""]:
    """The squared norm of ``slopes^T states``; from the whole gradient where rows cancel and float32 would not hold it."""
    one, two = Gram(slopes[None]), Gram(states[None])
    found = one.inner(two)[0]
    kept = (one.lengths() * two.lengths()).sum().square()
    if not bool(kept > CANCELS * len(slopes) * found):
        return found
    parts = torch.split(slopes, _WORDS, dim=1)
    return torch.stack([torch.linalg.vector_norm(part.t() @ states).square() for part in parts]).sum()
