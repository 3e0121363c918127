"""The sure method: take each input away, one at a time, and see what the answer loses."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from slimlit.explain.methods.reading import asked_score, of_readable, undisturbed
from slimlit.explain.question import Question, ask, readable, take, without
from slimlit.models import PreTrainedModel
from slimlit.models.word_embeddings import changed_embeddings, vector_of_no_word
from slimlit.types import Batch

CHUNK_TOKENS = 4096  # read at once, padding included: bounds the memory however long the texts


@dataclass(frozen=True)
class LeaveOneOut:
    """The logit as it is, minus the logit without that input: ``f(x) - f(x without i)``.

    One forward pass an input, in chunks of bounded size. An input is taken away as in :func:`~slimlit.explain.question.without`;
    where it stands at the place that is asked, which knows its own word without attending to it, the word becomes that of
    ``mask_id`` or, where a model has no [MASK], the mean of all words.

    Source: Li, Monroe, Jurafsky 2016, Understanding Neural Networks through Representation Erasure, arXiv:1612.08220, section 3.

    Args:
        mask_id: the token that stands for no word.
    """

    mask_id: int | None = None

    def __call__(self, network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
        """As every :class:`~slimlit.explain.method.Method`."""
        real = readable(batch, question)
        rows, inputs = real.nonzero(as_tuple=True)
        chunk = max(1, CHUNK_TOKENS // real.shape[1])
        with undisturbed(network, gradients=False):
            found = torch.zeros(real.shape, dtype=torch.float32, device=real.device)
            whole = asked_score(network, batch, question)
            for some, left_out in zip(torch.split(rows, chunk), torch.split(inputs, chunk), strict=True):
                hidden = torch.nn.functional.one_hot(left_out, real.shape[1]).bool()
                found[some, left_out] = whole[some] - self._without(
                    network, take(batch, some), ask(question, some), hidden
                )
        return of_readable(batch, question, found)

    def _without(
        self, network: PreTrainedModel, batch: Batch, question: Question, hidden: Bool[Tensor, "batch inputs"]
    ) -> Float[Tensor, " batch"]:
        parts = torch.split(hidden, [batch[name].shape[1] for name in _IDS if name in batch], dim=1)  # type: ignore[literal-required]

        def blank(number: int, words: Tensor) -> Tensor:
            nothing = vector_of_no_word(network, self.mask_id, number)
            return torch.where(parts[number].unsqueeze(-1), nothing.to(words), words)

        with changed_embeddings(network, blank):
            return asked_score(network, without(batch, hidden), question)


_IDS = ("input_ids", "decoder_input_ids")
