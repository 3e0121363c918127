"""``head_slopes``: how far each example's loss moves, to first order, when an attention head is taken away."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedModel

from slimlit.models.attention import gated_attention
from slimlit.models.attention_watch import AttentionKind
from slimlit.types import Batch


def head_slopes(
    network: PreTrainedModel,
    batch: Batch,
    losses: Callable[[Batch], Float[Tensor, " batch"]],
    shapes: Mapping[AttentionKind, tuple[int, int]],
) -> dict[AttentionKind, Float[Tensor, "layers batch heads"]]:
    """The slope ``dL_b / dg_h`` of each example's loss in a gate of 1 that all a head says is multiplied with.

    One forward and one backward pass for all heads and examples: every example has gates of its own.

    Guarantees:
        - no weight of the network gets a gradient;
        - kinds of attention that the network does not have are zero.

    Args:
        network: whose heads are gated, in eval mode; its weights need no gradients.
        batch: texts.
        losses: of each example, by this network.
        shapes: layers and heads of each kind of attention.

    Source: Michel, Levy, Neubig 2019, arXiv:1905.10650, equation 2.
    """
    device, size = batch["input_ids"].device, len(batch["input_ids"])
    gates = {
        kind: torch.ones(layers, size, heads, device=device, requires_grad=True)
        for kind, (layers, heads) in shapes.items()
    }
    with gated_attention(network, gates):
        total = losses(batch).float().sum()
        moved = torch.autograd.grad(total, list(gates.values()), allow_unused=True, materialize_grads=True)
    return {kind: slope.detach() for kind, slope in zip(gates, moved, strict=True)}
