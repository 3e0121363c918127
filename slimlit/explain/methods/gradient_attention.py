"""Gradient x attention: attention counts where more of it would have said the answer louder."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.attention_flow import Answered, answer_with_maps, answering_rows, identity_like
from slimlit.explain.methods.reading import of_readable, ordinary, undisturbed
from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel
from slimlit.models.attention_watch import AttentionKind
from slimlit.types import Batch


def gradient_attention(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """Attention times its gradient, what is positive of it, the mean over heads, added up through the layers.

    ``B = mean_heads((A * dA)+)``, ``R_ss += B R_ss`` and, in a decoder beside an encoder, ``R_tt += B R_tt``,
    ``R_ts += B R_ts``, then ``R_ts += N(R_tt)' B N(R_ss)``, where ``N`` scales rows without the diagonal to one. Our pooling is
    the last attention of all, the answer ``B_pooling R``. It has no sign.

    Source: Chefer, Gur, Wolf 2021, Generic Attention-model Explainability, arXiv:2103.15679, section 3 (equations 5 to 10).

    Raises:
        ValueError: the attention of the network cannot be read.
    """
    batch, question = ordinary(batch, question)
    with undisturbed(network, gradients=True):
        answered = answer_with_maps(network, batch, question)
        weights = answered.pooling_weights
        read = [weights] if weights is not None and weights.requires_grad else []  # a mean's are always the same
        maps = [each for kind in answered.maps.values() for each in kind] + read
        gradients = torch.autograd.grad(answered.scores.sum(), maps, allow_unused=True, materialize_grads=True)
    told = [(each.detach() * gradient).clamp(min=0).mean(dim=1) for each, gradient in zip(maps, gradients, strict=True)]
    layers = _by_kind(answered, told)
    if "cross" in layers:
        relevance = _relevance_beside_encoder(layers)
    else:
        (own,) = layers.values()
        relevance = _relevance(own)
    rows = told[-1] if read else answering_rows(batch, question, answered)
    return of_readable(batch, question, (rows.unsqueeze(1) @ relevance).squeeze(1))


def _by_kind(answered: Answered, told: list[Tensor]) -> dict[AttentionKind, list[Tensor]]:
    rest = iter(told)
    return {kind: [next(rest) for _ in maps] for kind, maps in answered.maps.items()}


def _relevance(layers: list[Tensor]) -> Float[Tensor, "batch tokens tokens"]:
    found = identity_like(layers[0]).expand_as(layers[0])
    for layer in layers:
        found = found + layer @ found
    return found


def _relevance_beside_encoder(layers: dict[AttentionKind, list[Tensor]]) -> Float[Tensor, "batch queries inputs"]:
    source = _normalised(_relevance(layers["encoder"]))
    of_text = torch.zeros_like(layers["cross"][0])
    of_own = identity_like(layers["decoder"][0]).expand_as(layers["decoder"][0])
    for own, cross in zip(layers["decoder"], layers["cross"], strict=True):
        of_text = of_text + own @ of_text
        of_own = of_own + own @ of_own
        of_text = of_text + _normalised(of_own).transpose(1, 2) @ cross @ source
    return torch.cat([of_text, of_own], dim=-1)


def _normalised(relevance: Float[Tensor, "batch tokens tokens"]) -> Float[Tensor, "batch tokens tokens"]:
    diagonal = identity_like(relevance)
    others = relevance - diagonal
    total = others.sum(dim=-1, keepdim=True)
    return others / total.where(total > 0, 1.0) + diagonal
