"""Make a configuration smaller, whatever its architecture calls its layers, and copy the weights that still fit."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

_FEED_FORWARD = {"distilbert": "hidden_dim", "gpt2": "n_inner", "t5": "d_ff", "mt5": "d_ff"}  # where it differs
_BY_SIDE = ("marian", "bart", "mbart", "pegasus", "blenderbot", "m2m_100")


@dataclass(frozen=True)
class Size:
    """What to keep of a model: its layers, counted from 1, and widths; None keeps, or scales with the width."""

    layers: Sequence[int]
    decoder_layers: Sequence[int] | None = None
    hidden_size: int | None = None
    intermediate_size: int | None = None
    num_attention_heads: int | None = None


def shrink(config: PreTrainedConfig, size: Size) -> PreTrainedConfig:
    """A copy of the configuration of that size.

    Raises:
        ValueError: layers it does not have, heads that do not divide the width, or an architecture not known well enough.
    """
    small = copy.deepcopy(config)
    small.dtype = torch.float32  # of a source saved in half precision the student would be made in it
    if small.is_encoder_decoder:
        _shrink_two_sides(small, size)
        return small
    if size.decoder_layers is not None:
        raise ValueError(f"a {small.model_type} has no decoder of its own\nleave decoder_layers out")
    _check_layers(size.layers, int(small.num_hidden_layers), "layers")
    small.num_hidden_layers = len(size.layers)
    for name, kinds in config.to_dict().items():  # lists with an entry for each layer: layer_types, no_rope_layers
        if "layer" in name and isinstance(kinds, list) and len(kinds) == config.num_hidden_layers:
            setattr(small, name, [kinds[layer - 1] for layer in size.layers])
    feed_forward = _FEED_FORWARD.get(small.model_type, "intermediate_size")
    if not hasattr(small, feed_forward):
        raise ValueError(
            f"a {small.model_type} cannot be shrunk: no plain stack of layers with {feed_forward}\n"
            "use a model such as BERT, RoBERTa, DistilBERT, ELECTRA, ModernBERT, GPT-2, Llama, Marian, BART or T5"
        )
    scale = 1.0 if size.hidden_size is None else size.hidden_size / small.hidden_size
    _set_feed_forward(small, [feed_forward], size, scale)
    small.num_attention_heads = _heads(small.num_attention_heads, size, scale)
    settings = small.to_dict()
    small.hidden_size = size.hidden_size or small.hidden_size
    _check_heads(small.hidden_size, small.num_attention_heads)
    if settings.get("num_key_value_heads") and (scale != 1.0 or size.num_attention_heads):
        shared = max(1, round(settings["num_key_value_heads"] * small.num_attention_heads / config.num_attention_heads))
        while small.num_attention_heads % shared:
            shared -= 1
        small.num_key_value_heads = shared
    if settings.get("head_dim") and (scale != 1.0 or size.num_attention_heads):
        small.head_dim = small.hidden_size // small.num_attention_heads
    return small


def _shrink_two_sides(small: PreTrainedConfig, size: Size) -> None:
    scale = 1.0 if size.hidden_size is None else size.hidden_size / small.hidden_size
    if small.model_type in _BY_SIDE:
        depths = ("encoder_layers", "decoder_layers")
        widths, heads = ["encoder_ffn_dim", "decoder_ffn_dim"], ["encoder_attention_heads", "decoder_attention_heads"]
    elif small.model_type in ("t5", "mt5"):
        depths, widths, heads = ("num_layers", "num_decoder_layers"), ["d_ff"], ["num_heads"]
    else:
        raise ValueError(f"a {small.model_type} cannot be shrunk\nuse Marian, BART, mBART, Pegasus, M2M-100 or T5")
    decoder = size.layers if size.decoder_layers is None else size.decoder_layers
    for name, layers in zip(depths, (size.layers, decoder), strict=True):
        _check_layers(layers, int(getattr(small, name)), "layers" if name == depths[0] else "decoder_layers")
        setattr(small, name, len(layers))
    if small.model_type in _BY_SIDE:
        small.num_hidden_layers = len(size.layers)
    _set_feed_forward(small, widths, size, scale)
    for name in heads:
        setattr(small, name, _heads(getattr(small, name), size, scale))
    small.d_model = size.hidden_size or small.d_model
    _check_heads(small.d_model, getattr(small, heads[0]))
    if small.model_type in ("t5", "mt5") and (scale != 1.0 or size.num_attention_heads):
        small.d_kv = small.d_model // small.num_heads


def _set_feed_forward(small: PreTrainedConfig, names: Sequence[str], size: Size, scale: float) -> None:
    for name in names:
        before = getattr(small, name)
        if size.intermediate_size is not None or before is not None:  # GPT-2's None is four times the width
            setattr(small, name, size.intermediate_size or max(1, round(before * scale)))


def _heads(before: int, size: Size, scale: float) -> int:
    return size.num_attention_heads or max(1, round(before * scale))


def _check_layers(layers: Sequence[int], depth: int, name: str) -> None:
    if not layers or any(not 1 <= layer <= depth for layer in layers):
        raise ValueError(
            f"{name} {list(layers)} asked of a teacher of {depth} layers\nexpected numbers from 1 to {depth}"
        )


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise ValueError(
            f"hidden_size {width} does not divide into {heads} attention heads\n"
            "set num_attention_heads to a divisor of it"
        )


def carry_over(
    teacher: nn.Module, student: nn.Module, layers: Sequence[int], decoder_layers: Sequence[int] | None = None
) -> list[str]:
    """Copy the teacher's weights into the student where shapes allow; student layer ``i`` takes teacher layer ``layers[i]``.

    Returns the names of the student's weights that did not fit and stay as they are.
    """
    source, target = teacher.state_dict(), student.state_dict()
    stacks = _layer_stacks(student, len(layers), len(layers if decoder_layers is None else decoder_layers))
    fresh = []
    for name, weight in target.items():
        origin = name
        for stack, side in stacks.items():
            if name.startswith(stack):
                chosen = layers if side == "only" or decoder_layers is None else decoder_layers
                number, _, rest = name.removeprefix(stack).partition(".")
                origin = f"{stack}{chosen[int(number)] - 1}.{rest}"
                origin = origin if origin in source else name  # T5's first layers alone know the distances, for all
        if origin in source and source[origin].shape == weight.shape:
            weight.copy_(source[origin])
        else:
            fresh.append(name)
    return fresh


def _layer_stacks(model: Any, depth: int, decoder_depth: int) -> dict[str, str]:
    """The state-dict prefixes of the lists of layers: ``encoder.layer.`` for BERT, two of them where there is a decoder."""
    found: dict[str, str] = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(stack) for stack in found):
            is_decoder = model.config.is_encoder_decoder and "decoder" in name.split(".")
            if len(module) == (decoder_depth if is_decoder else depth):
                found[f"{name}."] = "decoder" if is_decoder else "only"
    if not found:
        raise ValueError(
            f"{type(model).__name__} keeps no list of its {depth} layers, so none can be chosen\nuse another teacher"
        )
    return found


def same_stack(teacher: PreTrainedModel, student: PreTrainedModel) -> tuple[nn.Module, nn.Module]:
    """What to carry weights between: the whole models where they are of one class, else what is below their heads."""
    if type(teacher) is type(student):
        return teacher, student
    return teacher.base_model, student.base_model
