"""``Head``: logits of some tokens, in the precision that products are to be computed in."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.types import WordHead

_WORDS = 1024  # at once: on a processor 1.5 times as fast as all words, whose copies for the product leave its cache


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """What autocast computes products in; none where it is off."""
    return torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None


def product_dtype(head: WordHead, cast: torch.dtype | None) -> torch.dtype:
    """What the products of a head are computed in: autocast's dtype, or what hidden states and weights have in common."""
    return cast or torch.promote_types(head.hidden.dtype, head.weight.dtype)


def sum_dtype(dtype: torch.dtype) -> torch.dtype:
    """What sums, exponentials and logarithms are computed in: float32, or float64 where products are."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@dataclass(frozen=True)
class Head:
    """``logits = (hidden W^T + bias) / temperature``, for some tokens and the first ``num_words`` words.

    Args:
        hidden: the states of all tokens of the batch, one example after the other.
        weight: the words, in the dtype of the products.
        bias: over the temperature already, float32 (or float64).
        temperature: ``tau``.
    """

    hidden: Float[Tensor, "places width"]
    weight: Float[Tensor, "words width"]
    bias: Float[Tensor, " words"] | None
    temperature: float

    @classmethod
    def of(cls, head: WordHead, num_words: int, temperature: float, cast: torch.dtype | None) -> "Head":
        """The head, without a gradient; its products in ``cast`` where given."""
        dtype = product_dtype(head, cast)
        bias = None if head.bias is None else head.bias.detach()[:num_words].to(sum_dtype(dtype)) / temperature
        hidden = head.hidden.detach().flatten(0, 1)
        return cls(hidden, head.weight.detach()[:num_words].to(dtype), bias, temperature)

    @property
    def num_words(self) -> int:
        """Words that are chosen among."""
        return len(self.weight)

    def states(self, places: Int[Tensor, " some"]) -> Float[Tensor, "some width"]:
        """The hidden states at some places."""
        return self.hidden.index_select(0, places)

    def room(self, most: int) -> Float[Tensor, "most words"]:
        """Room for the logits of as many tokens, to be used again for each block: fresh memory costs time."""
        return self.weight.new_empty(most, self.num_words, dtype=sum_dtype(self.weight.dtype))

    def logits(self, places: Int[Tensor, " some"], room: Float[Tensor, "most words"]) -> Float[Tensor, "some words"]:
        """The logits at some places over the temperature, float32 (or float64), in ``room``."""
        states = (self.states(places) / self.temperature).to(self.weight.dtype)
        out = room[: len(places)]
        size = _WORDS if out.device.type == "cpu" else self.num_words
        for start in range(0, self.num_words, size):
            words = slice(start, start + size)
            into = out[:, words]
            if into.dtype == states.dtype:
                torch.mm(states, self.weight[words].t(), out=into)
            else:
                into.copy_(torch.mm(states, self.weight[words].t()))
            if self.bias is not None:
                into.add_(self.bias[words])
        return out
