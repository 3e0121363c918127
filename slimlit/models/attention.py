"""The attention function of our networks: torch's, recorded where asked for, with quick dropout on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from slimlit.models.dropout import can_draw_mask, dropout_mask, quicken_modules

NAME = "slimlit"
Recorded = dict[int, tuple[Tensor, Tensor, Tensor]]
_active: ContextVar[Recorded | None] = ContextVar("slimlit_attention_recording", default=None)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[Tensor, None]:
    record = _active.get()
    if record is not None:
        record[len(record) + 1] = (query, key, value)
    if dropout and can_draw_mask(query) and _is_plain(module, query, key, attention_mask, settings):
        return _attend_with_quick_dropout(query, key, value, attention_mask, dropout, settings.get("scaling")), None
    attended: tuple[Tensor, None] = sdpa_attention_forward(
        module, query, key, value, attention_mask, dropout=dropout, **settings
    )
    return attended


def _is_plain(module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, settings: dict[str, Any]) -> bool:
    """Whether it is an encoder's: every token may look at every other, and no head is shared."""
    is_causal = settings.get("is_causal")
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    extras = (settings.get(name) for name in ("position_bias", "cache", "softcap"))
    return (
        not is_causal
        and query.shape[1] == key.shape[1]
        and (mask is None or mask.dtype == torch.bool)
        and all(extra is None for extra in extras)
    )


def _attend_with_quick_dropout(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scaling: float | None
) -> Tensor:
    energies = torch.matmul(query, key.transpose(-1, -2)) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if mask is not None:
        energies = energies.masked_fill(~mask, torch.finfo(energies.dtype).min)
    weights = torch.softmax(energies, dim=-1, dtype=torch.float32).to(value.dtype)
    return torch.matmul(weights * dropout_mask(weights, dropout), value).transpose(1, 2).contiguous()


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, sdpa_mask)  # without it transformers 5 silently attends to padding


def _configs(network: PreTrainedModel) -> list[Any]:
    return list(
        {id(part.config): part.config for part in network.modules() if isinstance(part, PreTrainedModel)}.values()
    )


def quicken_dropout(network: PreTrainedModel) -> None:
    """Take :class:`~slimlit.models.dropout.QuickDropout` for all dropout of the network; what is saved of it stays the same."""
    quicken_modules(network)
    for config in _configs(network):
        if config._attn_implementation == "sdpa":
            config._attn_implementation = NAME


@contextmanager
def recorded_attention(network: PreTrainedModel) -> Iterator[Recorded]:
    """Within the block, each forward pass of the encoder fills ``{layer: (queries, keys, values)}``, layers from 1.

    Each is ``(batch, heads, tokens, head_width)``, with gradients where gradients are on. Works for every architecture
    whose attention goes through transformers' attention interface.
    """
    before = [(config, config._attn_implementation) for config in _configs(network)]
    record: Recorded = {}
    token = _active.set(record)
    for config, _ in before:
        config._attn_implementation = NAME
    try:
        yield record
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation
        _active.reset(token)
