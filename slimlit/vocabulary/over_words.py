"""``over_words``: a loss over the vocabulary whose gradients are made in the forward pass, so that no logits are kept."""

from collections.abc import Callable
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import handle_torch_function, has_torch_function

from slimlit.types import WordHead
from slimlit.vocabulary.blocks import Block, Blocks
from slimlit.vocabulary.target import Target

Watch = Callable[[Block], None]


def over_words(
    hidden: Float[Tensor, "batch tokens width"],
    weight: Float[Tensor, "vocabulary width"],
    bias: Float[Tensor, " vocabulary"] | None,
    target: Target,
    counted: Bool[Tensor, "batch tokens"],
    num_words: int,
    budget: float | None = None,
) -> Float[Tensor, " batch"]:
    """``L_b = 1 / |K_b| sum_{t in K_b} tau^2 D(W h_t + bias, target_t)``, over each example's counted tokens; 0 without any.

    The gradients of hidden states, weight and bias are made block by block in the forward pass, as if every example were
    to count the same. Where the backward pass brings the same factor for all (the task's mean does), it only scales them;
    where it brings different ones, or comes a second time, it goes over the blocks anew: always exact, usually fast.

    Guarantees:
        - holds no more logits than ``budget`` MiB (one token at least); tokens that are not counted cost nothing;
        - logarithms, exponentials and sums are float32 under bf16, products are bf16;
        - refuses to be differentiated twice.

    Args:
        hidden: the student's states.
        weight: its words; tied or not.
        bias: of the words.
        target: what each token is compared with.
        counted: the tokens whose loss is asked for.
        num_words: the first words, which are chosen among; what lies beyond is padding.
        budget: MiB; the room of 256 tokens unless given, or 64 where that is more.
    """
    # TorchFunctionModes, such as the recording of private training, see this call whole
    given = (hidden, weight)
    if has_torch_function(given):
        more = (hidden, weight, bias, target, counted, num_words, budget)
        return handle_torch_function(over_words, given, *more)
    blocks = Blocks(WordHead(hidden, weight, bias), target, counted, num_words, budget)
    return losses_of(hidden, weight, bias, blocks)


def losses_of(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, blocks: Blocks, watch: Watch | None = None
) -> Float[Tensor, " batch"]:
    """The mean loss of each example; ``watch`` is shown each block with its gradient."""
    learned = any(tensor is not None and tensor.requires_grad for tensor in (hidden, weight, bias))
    if torch.is_grad_enabled() and learned:
        return cast(Callable[..., Tensor], _OverWords.apply)(hidden, weight, bias, blocks, watch)
    return _summed(blocks, [watch] if watch is not None else [])


def _summed(blocks: Blocks, watches: list[Watch]) -> Float[Tensor, " batch"]:
    """The mean loss of each example, from one pass; gradients are made if anyone watches."""
    counts = blocks.counts
    total = torch.zeros(len(counts), dtype=blocks.sum_dtype, device=counts.device)
    for block in blocks.run(gradient=bool(watches)):
        total.index_add_(0, block.examples, block.losses)
        for watch in watches:
            watch(block)
    return total / counts.clamp(min=1)


class _Gradients:
    """Watches a pass and adds up the gradients that are wanted: all examples count the same, or their ``factors`` in sums.

    ``hidden`` holds those of the hidden states, each example's for itself.
    """

    def __init__(
        self, blocks: Blocks, wanted: tuple[bool, ...], factors: Float[Tensor, " batch"] | None = None
    ) -> None:
        self.num_words, self.factors = blocks.num_words, factors
        student, dtype = blocks.student, blocks.sum_dtype
        self.hidden, self.weight, self.bias = [
            torch.zeros_like(tensor, dtype=dtype, requires_grad=False) if tensor is not None and want else None
            for tensor, want in zip((student.hidden.flatten(0, 1), student.weight, student.bias), wanted, strict=False)
        ]

    def __call__(self, block: Block) -> None:
        """Add a block."""
        assert block.slopes is not None
        words, scales = block.head.weight, block.scales.unsqueeze(1)
        slopes = block.slopes.to(words.dtype)
        if self.hidden is not None:
            self.hidden.index_copy_(0, block.places, torch.mm(slopes, words).to(self.hidden.dtype).mul_(scales))
        if self.factors is not None:
            scales = scales * self.factors[block.examples].unsqueeze(1)
        if self.weight is not None:
            _add_products(self.weight[: self.num_words], slopes, block.head.states(block.places) * scales)
        if self.bias is not None:
            self.bias[: self.num_words].addmv_(block.slopes.t(), scales.flatten())


def _add_products(total: Tensor, slopes: Float[Tensor, "rows words"], states: Float[Tensor, "rows width"]) -> None:
    """Add ``slopes^T states`` to a total that is float32 where they are bf16."""
    states = states.to(slopes.dtype)
    if total.dtype == slopes.dtype:
        total.addmm_(slopes.t(), states)
        return
    size = max(1, 2**22 // states.shape[1])  # the products of as many words are held in bf16 on their way
    for start in range(0, len(total), size):
        total[start : start + size] += torch.mm(slopes[:, start : start + size].t(), states)


class _OverWords(torch.autograd.Function):
    """The loss, with its gradients made ahead."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, blocks: Blocks, watch: Watch | None
    ) -> Tensor:
        ctx.save_for_backward(hidden, weight, bias)  # complains where they were changed in between
        ctx.blocks, ctx.made = blocks, _Gradients(blocks, ctx.needs_input_grad)
        return _summed(blocks, [ctx.made, *([watch] if watch is not None else [])])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factors: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias = ctx.saved_tensors
        made, ctx.made = ctx.made, None
        asked = factors[ctx.blocks.counts > 0]
        one = asked[0] if len(asked) else torch.ones_like(factors.sum())
        alike = made is not None and ((made.weight is None and made.bias is None) or bool((asked == one).all()))
        if not alike:
            made, one = _Gradients(ctx.blocks, ctx.needs_input_grad, factors), torch.ones_like(one)
            _summed(ctx.blocks, [made])
        each = None if made.hidden is None else made.hidden.view(hidden.shape).mul_(factors[:, None, None])
        return (
            None if each is None else each.to(hidden.dtype),
            None if made.weight is None else made.weight.mul_(one).to(weight.dtype),
            None if made.bias is None else made.bias.mul_(one).to(bias.dtype),
            None,
            None,
        )
