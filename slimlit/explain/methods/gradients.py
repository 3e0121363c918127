"""Methods of one forward and one backward pass: how the answer's logit changes with the vector of each word."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.reading import asked_score, of_readable, ordinary, undisturbed, watched_inputs
from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel
from slimlit.models.attention import fixed_attention
from slimlit.models.fixed_gates import fixed_gates
from slimlit.models.fixed_norms import fixed_norms
from slimlit.types import Batch


def input_gradient(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """Word vector times gradient of the logit, with attention, layer normalisation and gates held fixed.

    Held fixed, all three are linear, and the products of all inputs come near to what makes the logit up. Attention that does
    not go through transformers' attention interface (DeBERTa's) is not held fixed.

    Guarantees:
        - where all else is linear or ReLU without bias, and nothing is added to the word vectors, they sum to the logit.

    Source: Ali et al. 2022, XAI for Transformers: Better Explanations through Conservative Propagation, arXiv:2202.07304,
    sections 3 and 4; gates as in Arras et al. 2017, arXiv:1706.07206, section 3.
    """
    with fixed_attention(network), fixed_norms(), fixed_gates(network):
        return _by_gradient(network, batch, question, lambda vectors, gradient: (vectors * gradient).sum(dim=-1))


def gradient_norm(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """The length of the gradient of the logit with respect to each word vector; it has no sign.

    Source: Li et al. 2016, Visualizing and Understanding Neural Models in NLP, arXiv:1506.01066, section 5.
    """
    return _by_gradient(network, batch, question, lambda vectors, gradient: gradient.norm(dim=-1))


def _by_gradient(
    network: PreTrainedModel, batch: Batch, question: Question, combine: Callable[[Tensor, Tensor], Tensor]
) -> Float[Tensor, "batch inputs"]:
    batch, question = ordinary(batch, question)
    with undisturbed(network, gradients=True):
        with watched_inputs(network) as vectors:
            total = asked_score(network, batch, question).sum()
        gradients = torch.autograd.grad(total, vectors, allow_unused=True, materialize_grads=True)
    found = [combine(*pair) for pair in zip((part.detach().float() for part in vectors), gradients, strict=True)]
    return of_readable(batch, question, torch.cat(found, dim=1))
