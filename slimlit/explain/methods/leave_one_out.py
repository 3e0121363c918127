"""The sure method: take each input away, one at a time, and see what the answer loses."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.reading import asked_score, of_readable, undisturbed
from slimlit.explain.question import Question, ask, readable, take, without
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

CHUNK_TOKENS = 4096  # read at once, padding included: bounds the memory however long the texts


def leave_one_out(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """The logit as it is, minus the logit without that input: ``f(x) - f(x without i)``.

    One forward pass an input, in chunks of bounded size; an input is taken away as in :func:`~slimlit.explain.question.without`.

    Source: Li, Monroe, Jurafsky 2016, Understanding Neural Networks through Representation Erasure, arXiv:1612.08220, section 3.
    """
    real = readable(batch, question)
    rows, inputs = real.nonzero(as_tuple=True)
    found = torch.zeros(real.shape, dtype=torch.float32, device=real.device)
    chunk = max(1, CHUNK_TOKENS // real.shape[1])
    with undisturbed(network, gradients=False):
        whole = asked_score(network, batch, question)
        for some, left_out in zip(torch.split(rows, chunk), torch.split(inputs, chunk), strict=True):
            hidden = torch.nn.functional.one_hot(left_out, real.shape[1]).bool()
            rest = asked_score(network, without(take(batch, some), hidden), ask(question, some))
            found[some, left_out] = whole[some] - rest
    return of_readable(batch, question, found)
