"""Attention rollout: attention multiplied through the layers, half of each taken for what passes by."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.attention_flow import Answered, answer_with_maps, answering_rows, identity_like
from slimlit.explain.methods.reading import of_readable, undisturbed
from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel
from slimlit.types import Batch


def attention_rollout(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """How much of each input reaches the answering state if heads count alike and half of each layer passes by attention.

    ``R_l = (A_l + I) / 2 . R_(l-1)`` with ``A_l`` the mean over heads. A decoder beside an encoder mixes its inputs with its
    attention to itself, then half with what it reads of the encoder's. It looks at no value and no class: it has no sign.

    Guarantees:
        - never negative; the inputs of an answer sum to one.

    Source: Abnar and Zuidema 2020, Quantifying Attention Flow in Transformers, arXiv:2005.00928, section 3; cross attention is
    handled alike by us.

    Raises:
        ValueError: the attention of the network cannot be read.
    """
    with undisturbed(network, gradients=False):
        answered = answer_with_maps(network, batch, question)
        rows = answering_rows(batch, question, answered).unsqueeze(1)
        return of_readable(batch, question, (rows @ _rolled(answered)).squeeze(1))


def _rolled(answered: Answered) -> Float[Tensor, "batch queries inputs"]:
    if "cross" not in answered.maps:
        return _roll(answered.own)
    source = _roll(answered.maps["encoder"])
    rolled = torch.cat([torch.zeros_like(answered.maps["cross"][0][:, 0]), _start(answered.own)], dim=-1)
    for own, cross in zip(answered.own, answered.maps["cross"], strict=True):
        rolled = (own.mean(dim=1) @ rolled + rolled) / 2
        read = torch.nn.functional.pad(cross.mean(dim=1) @ source, (0, rolled.shape[1]))
        rolled = (read + rolled) / 2
    return rolled


def _roll(maps: list[Tensor]) -> Float[Tensor, "batch tokens tokens"]:
    rolled = _start(maps)
    for layer in maps:
        rolled = (layer.mean(dim=1) @ rolled + rolled) / 2
    return rolled


def _start(maps: list[Tensor]) -> Float[Tensor, "batch tokens tokens"]:
    return identity_like(maps[0]).expand(len(maps[0]), -1, -1)
