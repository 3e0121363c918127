"""``attention_maps``: where every head of every layer looked, for pictures of it."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.attention_flow import check_maps
from slimlit.explain.methods.reading import undisturbed
from slimlit.models import PreTrainedModel, read
from slimlit.models.attention import mapped_attention
from slimlit.models.attention_watch import AttentionKind
from slimlit.types import Batch


def attention_maps(
    network: PreTrainedModel, batch: Batch
) -> dict[AttentionKind, Float[Tensor, "layers batch heads queries keys"]]:
    """How much each token (row) attends to each (column) in every head of every layer, by kind: encoder, decoder, cross.

    Where layers have fewer heads than others, maps of zeros stand for those they lack.

    Guarantees:
        - padded columns are exactly zero, and so is what a decoder may not see yet;
        - the network's mode is left as it was, and it is read in eval mode.

    Raises:
        ValueError: the attention of the network cannot be read.
    """
    with undisturbed(network, gradients=False), mapped_attention(network) as maps:
        read(network, batch)
    check_maps(network, maps)
    return {kind: _stacked(layers) for kind, layers in maps.items()}


def _stacked(layers: list[Tensor]) -> Float[Tensor, "layers batch heads queries keys"]:
    most = max(layer.shape[1] for layer in layers)
    return torch.stack([torch.nn.functional.pad(layer, (0, 0, 0, 0, 0, most - layer.shape[1])) for layer in layers])
