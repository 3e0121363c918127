"""``changed_embeddings``: run a network on other word vectors than its own, whatever it then adds to them or makes of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

Change = Callable[[int, Float[Tensor, "batch tokens width"]], Float[Tensor, "batch tokens width"]]


@contextmanager
def changed_embeddings(network: PreTrainedModel, change: Change) -> Iterator[None]:
    """Within the block, each look-up of words gives what ``change(number, vectors)`` makes of it.

    The number is 0 for the text and 1 for what a decoder beside the encoder reads, whether or not they share a table. Token
    ids are still given to the network, so that positions counted from them (RoBERTa's) stay right.
    """
    calls: list[int] = []

    def begin(*_: Any) -> None:
        calls.clear()

    def look_up(table: nn.Module, args: Any, vectors: Tensor) -> Tensor:
        calls.append(len(calls))
        return change(calls[-1], vectors)

    hooks = [network.register_forward_pre_hook(begin)]
    hooks += [table.register_forward_hook(look_up) for table in {id(each): each for each in _tables(network)}.values()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def vector_of_no_word(network: PreTrainedModel, mask_id: int | None, number: int = 0) -> Float[Tensor, " width"]:
    """The vector of [MASK]; where a model has none, the mean of all words' vectors; as the table of that look-up gives them."""
    table = _tables(network)[number]
    scale: Any = getattr(table, "embed_scale", 1.0)  # some tables multiply what is looked up: BART's, Gemma's
    weight: Any = table.weight
    vector: Tensor = (weight.mean(dim=0) if mask_id is None else weight[mask_id]) * scale
    return vector.detach()


def _tables(network: PreTrainedModel) -> list[nn.Module]:
    """Of each look-up in turn; often the same one."""
    if not network.config.is_encoder_decoder:
        return [network.get_input_embeddings()]
    return [network.get_encoder().get_input_embeddings(), network.get_decoder().get_input_embeddings()]
