"""How a method reads a network: as it is when it predicts, with gradients, leaving no trace; and the vectors it read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.question import Question, answer, readable, score
from slimlit.models import PreTrainedModel
from slimlit.models.word_embeddings import changed_embeddings
from slimlit.types import Batch


@contextmanager
def undisturbed(network: PreTrainedModel, gradients: bool) -> Iterator[None]:
    """Within the block the network is in eval mode, with gradients or without, whatever was on outside; then as before."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.inference_mode(False), torch.set_grad_enabled(gradients):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def ordinary(batch: Batch, question: Question) -> tuple[Batch, Question]:
    """The same as tensors that gradients may pass by, though they were made in inference mode, as Lightning's loaders do."""

    def copied(part: Tensor) -> Tensor:
        return part.clone() if part.is_inference() else part

    with torch.inference_mode(False):
        parts = {name: copied(part) for name, part in batch.items() if isinstance(part, Tensor)}
        places = None if question.places is None else copied(question.places)
        return cast(Batch, parts), Question(copied(question.classes), places, question.kind)


def asked_score(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, " batch"]:
    """The logit of each answer asked."""
    return score(answer(network, batch, question), question)


@contextmanager
def watched_inputs(network: PreTrainedModel) -> Iterator[list[Tensor]]:
    """Within the block, a forward pass fills the list with its word vectors, of the text and of a decoder's, as leaves."""
    leaves: list[Tensor] = []

    def keep(number: int, vectors: Tensor) -> Tensor:
        leaves.append(vectors.detach().requires_grad_())
        return leaves[-1]

    with changed_embeddings(network, keep):
        yield leaves


def of_readable(
    batch: Batch, question: Question, numbers: Float[Tensor, "batch inputs"]
) -> Float[Tensor, "batch inputs"]:
    """The numbers of the readable inputs, zero elsewhere, in float32 and without gradients."""
    return numbers.detach().float().masked_fill(~readable(batch, question), 0.0)
