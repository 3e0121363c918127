"""Attention computed step by step, as its kernels do not, so that its probabilities can be had and their gradients."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def attend_openly(
    query: Float[Tensor, "batch heads queries head_width"],
    key: Float[Tensor, "batch key_heads keys head_width"],
    value: Float[Tensor, "batch key_heads keys value_width"],
    mask: Tensor | None,
    is_causal: bool,
    dropout: float,
    settings: dict[str, Any],
) -> tuple[Float[Tensor, "batch queries heads value_width"], Float[Tensor, "batch heads queries keys"]]:
    """What the heads read, and how much each query (row) attends to each key (column), in float32.

    Settings are transformers': ``scaling``, ``position_bias`` (T5), ``softcap`` (Gemma 2), ``s_aux`` (a sink for each head,
    GPT-OSS). A query that may look nowhere reads zeros.
    """
    shared = query.shape[1] // key.shape[1]
    if shared > 1:
        key, value = key.repeat_interleave(shared, dim=1), value.repeat_interleave(shared, dim=1)
    scaling = settings.get("scaling")
    scores = (query @ key.transpose(-1, -2)).float() * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if (cap := settings.get("softcap")) is not None:
        scores = torch.tanh(scores / cap) * cap
    lowest = torch.finfo(query.dtype).min
    if mask is None and is_causal and query.shape[2] > 1:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    bias = settings.get("position_bias")
    if bias is not None:
        scores = scores + (bias if mask is None else torch.where(mask, bias, lowest) if _allows(mask) else bias + mask)
    elif mask is not None:
        scores = scores.masked_fill(~mask, lowest) if _allows(mask) else scores + mask
    probabilities = _softmax(scores, settings.get("s_aux"))
    if mask is not None and bias is None and _allows(mask):
        probabilities = probabilities * mask
    dropped = torch.nn.functional.dropout(probabilities, dropout) if dropout else probabilities
    return (dropped.to(value.dtype) @ value).transpose(1, 2).contiguous(), probabilities


def _allows(mask: Tensor) -> bool:
    """Whether it says who may look at whom; else it is added to the scores."""
    return mask.dtype == torch.bool


def _softmax(scores: Tensor, sinks: Tensor | None) -> Tensor:
    if sinks is None:
        return torch.softmax(scores, dim=-1)
    sink = sinks.float().view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
    return torch.softmax(torch.cat([scores, sink], dim=-1), dim=-1)[..., :-1]
