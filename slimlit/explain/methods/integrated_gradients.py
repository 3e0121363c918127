"""Integrated gradients, computed by Captum, from a text whose words say nothing."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.reading import asked_score, of_readable, ordinary, undisturbed, watched_inputs
from slimlit.explain.question import Question, ask, input_ids, removable, take
from slimlit.models import PreTrainedModel
from slimlit.models.word_embeddings import changed_embeddings, vector_of_no_word
from slimlit.types import Batch

CHUNK_TOKENS = 4096  # read at once, padding included


@dataclass(frozen=True)
class IntegratedGradients:
    """The gradient of the logit along the straight line from a text of [MASK] to the text, times the way each word goes.

    ``(e_i - e'_i) . integral_0^1 df/de_i (e' + s (e - e')) ds``, by Gauss-Legendre. Each word moves from the vector of
    ``mask_id``, or, where a model has no [MASK], from the mean of all words' vectors: a word, but none in particular.
    Never from padding, which networks learn nothing about. Special tokens stay as they are.

    Guarantees:
        - complete: the numbers sum to the logit of the text minus that of the masked text, up to the steps' error.

    Source: Sundararajan, Taly, Yan 2017, Axiomatic Attribution for Deep Networks, arXiv:1703.01365, section 3.

    Args:
        mask_id: the token that stands for no word.
        special_ids: tokens that are no words of the text.
        num_steps: points of the line, a forward and backward pass each.
    """

    mask_id: int | None = None
    special_ids: frozenset[int] = frozenset()
    num_steps: int = 20

    def __call__(self, network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
        """As every :class:`~slimlit.explain.method.Method`.

        Raises:
            ValueError: Captum is missing.
        """
        if not has_captum():
            raise ValueError("integrated gradients need Captum, which is missing\ntype: pip install 'slimlit[captum]'")
        from captum.attr import IntegratedGradients as CaptumsOwn

        def ask_at(*arguments: Any) -> Float[Tensor, " batch"]:
            *vectors, rows = arguments
            with changed_embeddings(network, lambda number, _: vectors[number]):
                return asked_score(network, take(batch, rows), ask(question, rows))

        batch, question = ordinary(batch, question)
        rows = torch.arange(len(question.classes), device=batch["input_ids"].device)
        with undisturbed(network, gradients=True):
            ends = self._ends(network, batch, question)
            starts = self._starts(network, batch, question, ends)
            found = CaptumsOwn(ask_at).attribute(
                ends,
                starts,
                additional_forward_args=(rows,),
                n_steps=self.num_steps,
                internal_batch_size=max(len(rows), CHUNK_TOKENS // input_ids(batch).shape[1]),
            )
        return of_readable(batch, question, torch.cat([part.sum(dim=-1) for part in found], dim=1))

    def masked(
        self, network: PreTrainedModel, batch: Batch, question: Question
    ) -> tuple[Float[Tensor, "batch tokens width"], ...]:
        """The word vectors at the start of the line: of the text, and of what a decoder beside the encoder read."""
        with undisturbed(network, gradients=False):
            return self._starts(network, batch, question, self._ends(network, batch, question))

    def _ends(self, network: PreTrainedModel, batch: Batch, question: Question) -> tuple[Tensor, ...]:
        with watched_inputs(network) as vectors, torch.no_grad():
            asked_score(network, batch, question)
        return tuple(part.detach() for part in vectors)

    def _starts(
        self, network: PreTrainedModel, batch: Batch, question: Question, ends: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        moved = torch.split(removable(batch, question, self.special_ids), [part.shape[1] for part in ends], dim=1)
        nothing = (vector_of_no_word(network, self.mask_id, number) for number in range(len(ends)))
        return tuple(
            torch.where(words.unsqueeze(-1), vector.to(part), part)
            for part, words, vector in zip(ends, moved, nothing, strict=True)
        )


def has_captum() -> bool:
    """Whether Captum is installed."""
    return find_spec("captum") is not None
