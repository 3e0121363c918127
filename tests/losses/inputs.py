"""Random outputs and batches for the tests of losses, small enough to be computed by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from slimlit.types import Batch, Output


@dataclass
class Config:
    """The part of a Hugging Face configuration that losses read."""

    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int = 2
    is_encoder_decoder: bool = False


@dataclass
class Network:
    """A network as a loss sees it before training."""

    config: Config


def make_batch(lengths: list[int], classes: int = 3, tokens: int | None = None) -> Batch:
    width = tokens or max(lengths)
    mask = torch.tensor([[1] * length + [0] * (width - length) for length in lengths])
    return Batch(
        input_ids=mask * 7,
        attention_mask=mask,
        labels=torch.arange(len(lengths)) % classes,
        example_id=torch.arange(len(lengths)),
    )


def make_output(batch: Batch, seed: int, heads: int = 2, head_width: int = 3, classes: int = 3) -> Output:
    """Layers 1 and 2, drawn from the seed."""
    random = torch.Generator().manual_seed(seed)
    size, tokens = batch["input_ids"].shape

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    def layers() -> dict[int, Tensor]:
        return {layer: draw(size, heads, tokens, head_width) for layer in (1, 2)}

    return Output(
        logits=draw(size, classes),
        hidden_states={layer: draw(size, tokens, heads * head_width) for layer in (0, 1, 2)},
        queries=layers(),
        keys=layers(),
        values=layers(),
        pooling_weights=torch.softmax(
            draw(size, 2, tokens).masked_fill(batch["attention_mask"].unsqueeze(1) == 0, float("-inf")), dim=-1
        ),
        shares=draw(size, tokens, classes),
    )


def change(output: Output, how: Callable[[Tensor, int], Tensor]) -> Output:
    """Every part of the output that has tokens, passed through ``how(tensor, the dimension of tokens)``."""
    vectors = {
        name: {layer: how(tensor, 2) for layer, tensor in getattr(output, name).items()}
        for name in ("queries", "keys", "values")
    }
    hidden = {layer: how(tensor, 1) for layer, tensor in output.hidden_states.items()}
    weights, shares = output.pooling_weights, output.shares
    return Output(
        output.logits,
        hidden,
        **vectors,
        pooling_weights=None if weights is None else how(weights, 2),
        shares=None if shares is None else how(shares, 1),
    )
