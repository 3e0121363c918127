"""Attention heads: how much each matters to a loss, how much it is another's double, how widely it looks."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from slimlit.explain.methods.reading import undisturbed
from slimlit.models import PreTrainedModel
from slimlit.models.attention_watch import AttentionKind
from slimlit.models.head_slopes import head_slopes
from slimlit.types import Batch

Losses = Callable[[Batch], Float[Tensor, " batch"]]


def head_importance(
    network: PreTrainedModel, batch: Batch, losses: Losses, shapes: dict[AttentionKind, tuple[int, int]]
) -> dict[AttentionKind, Float[Tensor, "layers heads"]]:
    """How far the loss moves, to first order, when a head is taken away: the mean over examples of ``|dL_b / dg_h|``.

    ``g_h`` is a gate of 1 that all a head says is multiplied with; pruning asks the same slopes
    (:func:`~slimlit.models.head_slopes.head_slopes`).

    Guarantees:
        - an example's share does not depend on its neighbours: absolute values are taken before the mean;
        - a head that says nothing has exactly zero;
        - the network's weights, gradients and mode are left as they were, and it is read in eval mode.

    Args:
        network: whose heads are gated.
        batch: texts.
        losses: of each example, by this network.
        shapes: layers and heads of each kind of attention, as :func:`~slimlit.explain.attention_maps.attention_maps` has them.

    Source: Michel, Levy, Neubig 2019, arXiv:1905.10650, equation 2.
    """
    with undisturbed(network, gradients=True):
        slopes = head_slopes(network, batch, losses, shapes)
    return {kind: slope.abs().mean(dim=1) for kind, slope in slopes.items()}


def head_distances(
    maps: Float[Tensor, "layers batch heads queries keys"], real: Bool[Tensor, "batch queries"]
) -> Float[Tensor, "layers heads heads"]:
    """How differently two heads of a layer look: the Jensen-Shannon distance of their rows, mean over the real tokens.

    The square root of the divergence in bits: 0 where they look alike, 1 where never at the same token.
    """
    weights = real.float() / real.sum().clamp(min=1)
    found = []
    for layer in maps.float():
        one, other = layer.unsqueeze(2), layer.unsqueeze(1)
        middle = _bits((one + other) / 2)
        divergence = (middle - (_bits(one) + _bits(other)) / 2).clamp(min=0.0, max=1.0)
        found.append((divergence.sqrt() * weights[:, None, None, :]).sum(dim=(0, 3)))
    return torch.stack(found)


def head_changes(
    now: Float[Tensor, "layers batch heads queries keys"],
    before: Float[Tensor, "layers batch heads queries keys"],
    real: Bool[Tensor, "batch queries"],
) -> Float[Tensor, "layers heads"]:
    """The share of its attention that a head has moved, 0 to 1: total variation of its rows, mean over the real tokens."""
    weights = real.float() / real.sum().clamp(min=1)
    moved = (now - before).abs().sum(dim=-1) / 2
    return (moved * weights[None, :, None, :]).sum(dim=(1, 3))


def nearest_other(distances: Float[Tensor, "layers heads heads"]) -> Float[Tensor, "layers heads"]:
    """How far each head is from its nearest double in the layer; 1, the farthest, where a layer has one head only."""
    apart = distances + 2 * torch.eye(distances.shape[-1], device=distances.device)
    return apart.amin(dim=-1).clamp(max=1.0)


def spread(
    weights: Float[Tensor, "*rows tokens"], seen: Bool[Tensor, "*rows tokens"] | None = None
) -> Float[Tensor, "*rows"]:
    """How widely weights that sum to one are spread, 0 to 1: their entropy over that of equal weights; 0 for one token.

    Args:
        weights: of the tokens.
        seen: which tokens could have had weight; those that have some, unless given.
    """
    room = (weights > 0 if seen is None else seen).sum(dim=-1).clamp(min=1).float()
    return torch.where(room > 1, _bits(weights) / room.clamp(min=2).log2(), 0.0)


def _bits(weights: Float[Tensor, "*rows tokens"]) -> Float[Tensor, "*rows"]:
    return -torch.xlogy(weights, weights).sum(dim=-1) / torch.tensor(2.0).log()
