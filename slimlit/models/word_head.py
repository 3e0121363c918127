"""``unread_words``: run a language model without its last product, and keep what goes into it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from slimlit.types import WordHead


def head_of(network: PreTrainedModel) -> tuple[nn.Linear, Tensor | None]:
    """The network's last layer, and the bias of its words.

    Raises:
        ValueError: the network's last step is not one product with a table of words.
    """
    head = network.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        raise ValueError(
            f"a {type(network).__name__} does not end in one product with a table of words\n"
            "use a loss that reads its logits, or another architecture"
        )
    extra: Any = getattr(network, "final_logits_bias", None)  # Marian's and BART's: a buffer beside the head
    return head, head.bias if extra is None or not bool(extra.any()) else extra[0]


def words_at(network: PreTrainedModel, hidden: Float[Tensor, "batch tokens width"]) -> WordHead:
    """The network's words over states that its head was about to read."""
    head, bias = head_of(network)
    return WordHead(hidden, head.weight, bias)


@contextmanager
def unread_words(network: PreTrainedModel) -> Iterator[list[WordHead]]:
    """Within the block, a forward pass makes no logits over the vocabulary; its :class:`WordHead` is put into the list.

    Raises:
        ValueError: the network's last step is not one product with a table of words.
    """
    head, bias = head_of(network)
    found: list[WordHead] = []
    extra: Any = getattr(network, "final_logits_bias", None)

    def say_nothing(input: Tensor) -> Tensor:
        found.append(WordHead(input, head.weight, bias))
        return input.new_zeros(()).expand(*input.shape[:-1], 1)

    head.forward = say_nothing  # type: ignore[method-assign]
    if extra is not None:
        network.final_logits_bias = torch.zeros_like(extra[:, :1])
    try:
        yield found
    finally:
        del head.forward
        if extra is not None:
            network.final_logits_bias = extra


def check_words(network: PreTrainedModel, inputs: dict[str, Tensor]) -> None:
    """The logits a network makes are those its :class:`WordHead` would make, however large they grow.

    Raises:
        ValueError: it does something to them afterwards (scales or caps them), which a loss over the words would miss.
    """
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            whole = network(**inputs).logits.float()
            with unread_words(network) as found:
                network(**inputs)
            apart = float((found[-1].logits().float() - whole).abs().max())
            apart = max(apart, _change_of_loud_words(network, inputs))
    finally:
        network.train(was_training)
    if len(found) != 1 or apart > 1e-3 * max(1.0, float(whole.abs().max())):
        raise ValueError(
            f"a {type(network).__name__} changes its logits after the product with its words (by up to {apart:.2g})\n"
            "use a loss that reads its logits, or another architecture"
        )


def _change_of_loud_words(network: PreTrainedModel, inputs: dict[str, Tensor]) -> float:
    """How far the network's logits are from those of a head that says -100 to 100: a cap at 30 leaves a new model's alone."""
    head, _ = head_of(network)
    said: list[Tensor] = []

    def say_loudly(input: Tensor) -> Tensor:
        size = input[..., 0].numel() * head.out_features
        said.append(torch.linspace(-100.0, 100.0, size, device=input.device).view(*input.shape[:-1], head.out_features))
        return said[-1]

    head.forward = say_loudly  # type: ignore[method-assign]
    try:
        logits = network(**inputs).logits.float()
    finally:
        del head.forward
    extra: Any = getattr(network, "final_logits_bias", None)
    return float((logits - said[-1] - (0.0 if extra is None else extra)).abs().max())
