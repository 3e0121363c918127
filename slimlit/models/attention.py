"""The attention function of our networks: torch's, watched and changed where asked for, with quick dropout on a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from slimlit.models.attention_watch import Gates, Maps, Recorded, Watch, stacks_of, watches
from slimlit.models.dropout import can_draw_mask, dropout_mask, quicken_modules
from slimlit.models.open_attention import attend_openly

NAME = "slimlit"


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[Tensor, None]:
    watching = [watch for watch in watches.get() if id(module) in watch.stacks]
    if not watching:
        return _attend_unwatched(module, query, key, value, attention_mask, dropout, settings), None
    if any(watch.is_fixed for watch in watching):
        query, key = query.detach(), key.detach()
        settings = {name: value.detach() if isinstance(value, Tensor) else value for name, value in settings.items()}
    is_causal = _is_causal(module, settings)
    kinds = [watch.kind(module, is_causal) for watch in watching]
    is_beyond_kernels = settings.get("softcap") is not None or settings.get("s_aux") is not None
    if is_beyond_kernels or any(watch.maps is not None for watch in watching):
        attended, probabilities = attend_openly(query, key, value, attention_mask, is_causal, dropout, settings)
        for watch, kind in zip(watching, kinds, strict=True):
            if watch.maps is not None:
                watch.maps.setdefault(kind, []).append(probabilities)
    else:
        attended = _attend_unwatched(module, query, key, value, attention_mask, dropout, settings)
    for watch, kind in zip(watching, kinds, strict=True):
        if watch.record is not None:
            watch.record[len(watch.record) + 1] = (query, key, value)
        gate = watch.gate(kind, query.shape[1])
        if gate is not None:
            attended = attended * gate.to(attended.dtype)[..., None, :, None]  # over queries and head width
        watch.seen[kind] += 1
    return attended, None


def _attend_unwatched(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    dropout: float,
    settings: dict[str, Any],
) -> Tensor:
    if dropout and can_draw_mask(query) and _is_plain(module, query, key, mask, settings):
        return _attend_with_quick_dropout(query, key, value, mask, dropout, settings.get("scaling"))
    attended: Tensor = sdpa_attention_forward(module, query, key, value, mask, dropout=dropout, **settings)[0]
    return attended


def _is_causal(module: nn.Module, settings: dict[str, Any]) -> bool:
    is_causal = settings.get("is_causal")
    return bool(getattr(module, "is_causal", True) if is_causal is None else is_causal)


def _is_plain(module: nn.Module, query: Tensor, key: Tensor, mask: Tensor | None, settings: dict[str, Any]) -> bool:
    """Whether it is an encoder's: every token may look at every other, and no head is shared."""
    extras = (settings.get(name) for name in ("position_bias", "cache", "softcap"))
    return (
        not _is_causal(module, settings)
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
def _watched(network: PreTrainedModel, watch: Watch) -> Iterator[None]:
    before = [(config, config._attn_implementation) for config in _configs(network)]
    token = watches.set((*watches.get(), watch))
    starts = {id(part): part for part in (network, network.base_model)}.values()
    hooks = [part.register_forward_pre_hook(watch.forget) for part in starts]
    for config, _ in before:
        config._attn_implementation = NAME
    try:
        yield
    finally:
        for config, implementation in before:
            config._attn_implementation = implementation
        for hook in hooks:
            hook.remove()
        watches.reset(token)


@contextmanager
def recorded_attention(network: PreTrainedModel) -> Iterator[Recorded]:
    """Within the block, each forward pass of the encoder fills ``{layer: (queries, keys, values)}``, layers from 1.

    Each is ``(batch, heads, tokens, head_width)``, with gradients where gradients are on. Works for every architecture
    whose attention goes through transformers' attention interface.
    """
    record: Recorded = {}
    with _watched(network, Watch(stacks_of(network), record=record)):
        yield record


@contextmanager
def mapped_attention(network: PreTrainedModel) -> Iterator[Maps]:
    """Within the block, each forward pass fills ``{kind: [probabilities of each layer]}``, with gradients where they are on.

    Guarantees:
        - the probabilities are those the network attends with, T5's biases, windows and sinks included;
        - self and cross attention are apart, layers in order;
        - gradients of an answer with respect to them can be asked for.
    """
    maps: Maps = {}
    with _watched(network, Watch(stacks_of(network), maps=maps)):
        yield maps


@contextmanager
def fixed_attention(network: PreTrainedModel) -> Iterator[None]:
    """Within the block, who attends to whom counts as given: gradients flow through what is read, not through where.

    Guarantees:
        - what the network says is the same, up to the rounding of the kernel that torch takes.
    """
    with _watched(network, Watch(stacks_of(network), is_fixed=True)):
        yield


@contextmanager
def gated_attention(network: PreTrainedModel, gates: Gates) -> Iterator[None]:
    """Within the block, what each head of each layer says is multiplied by its gate; gates may want gradients.

    For training too, but not with gradient checkpointing, which would count its layers twice.

    Guarantees:
        - gates of one change nothing, to the bit;
        - a gate of zero removes the head.

    Args:
        network: any whose attention goes through transformers' attention interface.
        gates: by kind of attention, one for each head of each layer, or of each layer for each example; kinds left out are
            not gated. A layer of fewer heads than others takes the first ones.
    """
    with _watched(network, Watch(stacks_of(network), gates=gates)):
        yield
