"""``TopTargets``: the teacher's likeliest words as targets, and all the rest as one word more."""

from jaxtyping import Float
from torch import Tensor

from slimlit.losses.base import Loss, teacher_of, words_of
from slimlit.types import Batch, Needs, Output
from slimlit.vocabulary import shared_words, top_k_divergence, top_words


class TopTargets(Loss):
    """What a student learns that is told only the teacher's ``k`` likeliest words of each token; as ``VocabularyTargets``.

    ``L_b = tau^2 / |K_b| sum_{t in K_b} [sum_{v in top} p_v log(p_v / q_v) + p_rest log(p_rest / q_rest)]``. The
    probability of all other words together is one class more on both sides: dropped, it would teach the student that they
    are never said.

    Guarantees:
        - never more than the divergence over all words; equal to it where ``k`` is all of them;
        - never reads a place without a label (-100); never mixes two examples.

    Args:
        k: words to keep.
        temperature: ``tau``.
        num_words: the first words, which both heads know; needed where one is padded and the other is not.
    """

    student_needs: Needs = frozenset({"words"})
    teacher_needs: Needs = frozenset({"words"})

    def __init__(self, k: int = 64, temperature: float = 1.0, num_words: int | None = None) -> None:
        super().__init__()
        if not temperature > 0.0:
            raise ValueError(f"temperature is {temperature}; expected a number above 0")
        if k < 1:
            raise ValueError(f"k is {k}; expected 1 or more words")
        self.k, self.temperature, self.num_words = k, temperature, num_words

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The divergence of each example."""
        ours, target = words_of(self, student, "student"), teacher_of(self, teacher)
        if target.top is not None:  # as a cache kept them
            counted = batch["labels"] != -100
            return top_k_divergence(
                ours.hidden, ours.weight, ours.bias, target.top, counted, self.temperature, self.num_words
            )
        theirs = words_of(self, target, "teacher")
        num_words = shared_words(len(ours.weight), len(theirs.weight), self.num_words)
        counted = batch["labels"] != -100
        top = top_words(theirs, counted, min(self.k, num_words), self.temperature, num_words)
        return top_k_divergence(ours.hidden, ours.weight, ours.bias, top, counted, self.temperature, num_words)
