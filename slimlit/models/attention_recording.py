"""Queries, keys and values of a network's self-attention layers, recorded while it runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "slimlit_recording"
Recorded = dict[int, tuple[Tensor, Tensor, Tensor]]
_active: ContextVar[Recorded | None] = ContextVar("slimlit_attention_recording", default=None)


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **settings: Any
) -> tuple[Tensor, None]:
    record = _active.get()
    if record is not None:
        record[len(record) + 1] = (query, key, value)
    attended: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    return attended


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, sdpa_mask)  # without it transformers 5 silently attends to padding


@contextmanager
def recorded_attention(network: PreTrainedModel) -> Iterator[Recorded]:
    """Within the block, each forward pass of the encoder fills ``{layer: (queries, keys, values)}``, layers from 1.

    Each is ``(batch, heads, tokens, head_width)``, with gradients where gradients are on. Works for every architecture
    whose attention goes through transformers' attention interface.
    """
    configs = {id(module.config): module.config for module in network.modules() if isinstance(module, PreTrainedModel)}
    before = {key: config._attn_implementation for key, config in configs.items()}
    record: Recorded = {}
    token = _active.set(record)
    for config in configs.values():
        config._attn_implementation = NAME
    try:
        yield record
    finally:
        for key, config in configs.items():
            config._attn_implementation = before[key]
        _active.reset(token)
