"""Attention probabilities of a layer from its queries and keys."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


def attention_probabilities(
    queries: Float[Tensor, "batch heads tokens head_width"],
    keys: Float[Tensor, "batch heads tokens head_width"],
    attention_mask: Int[Tensor, "batch tokens"],
) -> Float[Tensor, "batch heads tokens tokens"]:
    """How much each token (row) attends to each token (column): ``softmax(Q K^T / sqrt(d))`` over real tokens.

    For encoders that add nothing to these scores but the padding mask: BERT and RoBERTa and their kin, and rotary ones
    (their queries come turned); not those with relative biases (T5, DeBERTa) or local windows.

    Guarantees:
        - each row sums to one; a padded column is exactly zero.
    """
    scores = queries.float() @ keys.float().transpose(-1, -2) / math.sqrt(queries.shape[-1])
    padded = (attention_mask == 0)[:, None, None, :]
    return torch.softmax(scores.masked_fill(padded, float("-inf")), dim=-1)
