"""Pooling: one vector an example from the hidden states of its tokens, by learned attention, by the mean, or from the first token."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

Pooling = Literal["attention", "mean", "cls"]


class AttentionPooling(nn.Module):
    """Weighted sums of the hidden states, with weights that can be shown.

    ``e_i = W_att h_i``, ``a_i = exp(e_i) / sum_j exp(e_j)`` over the visible tokens, ``att = sum_i a_i h_i``; with
    several heads each has its own row of ``W_att`` and their sums are laid side by side. ``W_att`` is held as
    ``sqrt(width)`` times the trained weight: an optimizer like Adam moves every weight alike, and at a rate fit for the
    encoder the energies of a plain linear layer would hardly leave zero.

    Guarantees:
        - weights are never negative and sum to one over the visible tokens of each example with at least one;
        - a hidden token's weight is exactly zero, and its hidden state is never read;
        - freshly made, it is mean pooling (all energies are zero).
    """

    def __init__(self, width: int, num_heads: int = 1) -> None:
        super().__init__()
        self.energy = nn.Linear(width, num_heads, bias=False)
        nn.init.zeros_(self.energy.weight)
        self.scale = width**0.5

    def forward(
        self, hidden_states: Float[Tensor, "batch tokens width"], visible: Bool[Tensor, "batch tokens"]
    ) -> tuple[Float[Tensor, "batch pooled"], Float[Tensor, "batch pooling_heads tokens"]]:
        """The pooled vectors (``pooled = heads * width``) and the weights ``a_i``."""
        energies = self.energy(hidden_states).float().transpose(1, 2) * self.scale
        seen = visible.unsqueeze(1)
        weights = torch.softmax(energies.masked_fill(~seen, torch.finfo(energies.dtype).min), dim=-1) * seen
        readable = hidden_states.masked_fill(~visible.unsqueeze(-1), 0.0)
        return torch.matmul(weights.to(readable.dtype), readable).flatten(1), weights


class MeanPooling(nn.Module):
    """The mean of the visible hidden states: attention pooling with equal weights."""

    def forward(
        self, hidden_states: Float[Tensor, "batch tokens width"], visible: Bool[Tensor, "batch tokens"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch 1 tokens"]]:
        """The means and the equal weights they were taken with."""
        weights = visible.float() / visible.sum(dim=1, keepdim=True).clamp(min=1)
        readable = hidden_states.masked_fill(~visible.unsqueeze(-1), 0.0)
        pooled = torch.matmul(weights.unsqueeze(1).to(readable.dtype), readable).squeeze(1)
        return pooled, weights.unsqueeze(1)


class FirstToken(nn.Module):
    """The hidden state of the first token ([CLS]), whatever is visible."""

    def forward(
        self, hidden_states: Float[Tensor, "batch tokens width"], visible: Bool[Tensor, "batch tokens"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "batch 1 tokens"]]:
        """The first states and the one-hot weights that pick them."""
        weights = torch.zeros(visible.shape, dtype=torch.float32, device=visible.device)
        weights[:, 0] = 1.0
        return hidden_states[:, 0], weights.unsqueeze(1)


def make_pooling(name: Pooling, width: int, num_heads: int) -> nn.Module:
    """The pooling of that name."""
    if name == "attention":
        return AttentionPooling(width, num_heads)
    return MeanPooling() if name == "mean" else FirstToken()
