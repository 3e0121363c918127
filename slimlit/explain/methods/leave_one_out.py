"""The sure method: take each input away, one at a time, and see what the answer loses."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.explain.methods.reading import of_readable, undisturbed
from slimlit.explain.question import Question, answer, ask, distinct, readable, score, take, without
from slimlit.models import PreTrainedModel
from slimlit.models.word_embeddings import changed_embeddings, vector_of_no_word
from slimlit.types import Batch

CHUNK_TOKENS = 4096  # read at once, padding included: bounds the memory however long the texts


@dataclass(frozen=True)
class LeaveOneOut:
    """The logit as it is, minus the logit without that input: ``f(x) - f(x without i)``.

    One forward pass an input of a text, whatever number of questions it is asked, in chunks of bounded size. An input is taken away as in :func:`~slimlit.explain.question.without`;
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
        width = real.shape[1]
        texts, text_of = distinct(batch)
        asking, inputs = real.nonzero(as_tuple=True)
        left_out, case_of = torch.unique(text_of[asking] * width + inputs, return_inverse=True)
        chunk = max(1, CHUNK_TOKENS // width)
        with undisturbed(network, gradients=False):
            found = torch.zeros(real.shape, dtype=torch.float32, device=real.device)
            whole = score(answer(network, take(batch, texts), question, text_of), question)
            for start in range(0, len(left_out), chunk):
                cases = left_out[start : start + chunk]
                hidden = torch.nn.functional.one_hot(cases % width, width).bool()
                here = (case_of >= start) & (case_of < start + chunk)  # questions whose text is read without that input
                some, places = asking[here], inputs[here]
                rest = self._without(
                    network, take(batch, texts[cases // width]), ask(question, some), hidden, case_of[here] - start
                )
                found[some, places] = whole[some] - rest
        return of_readable(batch, question, found)

    def _without(
        self,
        network: PreTrainedModel,
        batch: Batch,
        question: Question,
        hidden: Bool[Tensor, "batch inputs"],
        rows: Int[Tensor, " questions"],
    ) -> Float[Tensor, " questions"]:
        parts = torch.split(hidden, [batch[name].shape[1] for name in _IDS if name in batch], dim=1)  # type: ignore[literal-required]

        def blank(number: int, words: Tensor) -> Tensor:
            nothing = vector_of_no_word(network, self.mask_id, number)
            return torch.where(parts[number].unsqueeze(-1), nothing.to(words), words)

        with changed_embeddings(network, blank):
            return score(answer(network, without(batch, hidden), question, rows), question)


_IDS = ("input_ids", "decoder_input_ids")
