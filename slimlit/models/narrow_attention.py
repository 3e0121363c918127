"""Fewer heads in an encoder whose stock class makes its heads as wide as hidden size over heads."""

import copy
from collections.abc import Callable
from typing import Any

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

NARROWABLE = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert")


def narrowed(
    config: PreTrainedConfig, head_dim: int, make: Callable[[PreTrainedConfig], PreTrainedModel]
) -> PreTrainedModel:
    """The fresh encoder that ``make`` makes, with heads of that width, however many there are.

    Raises:
        ValueError: an architecture whose attention is not known.
    """
    if config.model_type not in NARROWABLE:
        raise ValueError(
            f"a {config.model_type} has no heads of a width of their own\nexpected one of: {', '.join(NARROWABLE)}"
        )
    stock = copy.deepcopy(config)
    stock.num_attention_heads = 1  # divides any width
    encoder = make(stock)
    inner = head_dim * int(config.num_attention_heads)
    for name, module in encoder.named_modules():
        if name.endswith(("attention.self", "attention")) and "attention_head_size" in module.__dict__:
            _narrow(module, head_dim, inner, int(config.num_attention_heads))
        elif name.endswith("attention.output"):
            module.dense = nn.Linear(inner, module.dense.out_features)
    for each in {
        id(part.config): part.config for part in encoder.modules() if isinstance(part, PreTrainedModel)
    }.values():
        each.num_attention_heads = config.num_attention_heads
    encoder.post_init()
    return encoder


def _narrow(attention: Any, head_dim: int, inner: int, heads: int) -> None:
    attention.attention_head_size = head_dim
    attention.scaling = head_dim**-0.5
    for name in ("query", "key", "value", "q_lin", "k_lin", "v_lin"):
        if name in attention._modules:
            linear = attention._modules[name]
            attention._modules[name] = nn.Linear(linear.in_features, inner)
    if "out_lin" in attention._modules:
        attention.out_lin = nn.Linear(inner, attention.out_lin.out_features)
        attention.n_heads = heads
    else:
        attention.num_attention_heads, attention.all_head_size = heads, inner
