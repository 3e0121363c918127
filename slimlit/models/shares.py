"""What each token adds to a logit, exactly, where a classifier is linear after its pooling."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from slimlit.models.sequence_classifier import SequenceClassifier


def token_shares(
    hidden_states: Float[Tensor, "batch tokens width"],
    weights: Float[Tensor, "batch pooling_heads tokens"],
    classifier: Float[Tensor, "classes pooled"],
) -> Float[Tensor, "batch tokens classes"]:
    """``a_i (W h_i)``, summed over the pooling's heads, in float32.

    Guarantees:
        - over the tokens of an example they sum to its logits, less the bias (dropout left out);
        - a token without weight has exactly zero, and its hidden state is never read.
    """
    read = weights.transpose(1, 2).unsqueeze(-1).float()
    states = hidden_states.masked_fill((weights == 0).all(dim=1).unsqueeze(-1), 0.0).unsqueeze(2)
    with torch.autocast(hidden_states.device.type, enabled=False):
        pooled = (read * states.float()).flatten(2)  # what each token puts into the pooled vector
        return nn.functional.linear(pooled.to(classifier.dtype), classifier).float()


@contextmanager
def recorded_shares(network: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Within the block, each forward pass appends its :func:`token_shares`, with gradients where gradients are on.

    Raises:
        ValueError: the network is not linear after a pooling.
    """
    if not isinstance(network, SequenceClassifier):
        raise ValueError(
            f"a {type(network).__name__} has no shares of tokens: it is not linear after a pooling\n"
            "give it one: pooling: mean, or attention"
        )
    found: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Any, ...], outputs: tuple[Tensor, Tensor]) -> None:
        found.append(token_shares(inputs[0], outputs[1], network.classifier.weight))

    handle = network.pooling.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()
