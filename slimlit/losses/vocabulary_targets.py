"""``VocabularyTargets``: all the teacher's words as targets, without holding the logits of either side."""

from jaxtyping import Float
from torch import Tensor

from slimlit.losses.base import Loss, teacher_of, words_of
from slimlit.types import Batch, Needs, Output
from slimlit.vocabulary import Divergence, vocabulary_divergence


class VocabularyTargets(Loss):
    """A divergence between teacher and student over every word, by blocks of tokens, the mean over each example's labels.

    ``L_b = tau^2 / |K_b| sum_{t in K_b} D(p_T, p_S)`` with ``p = softmax(logits / tau)``; ``D`` is ``KL(p_T || p_S)``
    (``forward``), ``KL(p_S || p_T)`` (``reverse``) or, with ``m = beta p_T + (1 - beta) p_S``,
    ``beta KL(p_T || m) + (1 - beta) KL(p_S || m)`` (``jensen-shannon``). With a ``label_share`` it is ``(1 - a) L_b`` and ``a``
    times what ``VocabularyLabels`` would give, from the same logits: four products where two losses would take seven.

    Guarantees:
        - zero where both agree at every place that has a label, and positive elsewhere;
        - never reads a place without a label (-100); never mixes two examples;
        - never holds the logits of all tokens at once, neither side's.

    Args:
        temperature: ``tau``.
        divergence: ``forward`` covers all the teacher would say, ``reverse`` says only what the teacher would.
        beta: of ``jensen-shannon``: near 0 like the forward one, near 1 like the reverse one.
        label_share: ``a``, the weight of the cross-entropy with the labels, 0 to 1.
        num_words: the first words, which both heads know; needed where one is padded and the other is not.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2; Agarwal et al. 2024 (GKD), arXiv:2306.13649, section 3.
    """

    student_needs: Needs = frozenset({"words"})
    teacher_needs: Needs = frozenset({"words"})

    def __init__(
        self,
        temperature: float = 1.0,
        divergence: Divergence = "forward",
        beta: float = 0.5,
        label_share: float = 0.0,
        num_words: int | None = None,
    ) -> None:
        super().__init__()
        if not temperature > 0.0:
            raise ValueError(f"temperature is {temperature}; expected a number above 0")
        if not 0.0 < beta < 1.0:
            raise ValueError(
                f"beta is {beta}; expected a number between 0 and 1\n"
                "its limits are other divergences: forward (beta to 0) and reverse (beta to 1)"
            )
        if not 0.0 <= label_share <= 1.0:
            raise ValueError(f"label_share is {label_share}; expected 0 to 1")
        self.temperature, self.divergence, self.beta = temperature, divergence, beta
        self.label_share, self.num_words = label_share, num_words

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The divergence of each example."""
        ours = words_of(self, student, "student")
        return vocabulary_divergence(
            ours.hidden,
            ours.weight,
            ours.bias,
            words_of(self, teacher_of(self, teacher), "teacher"),
            batch["labels"] != -100,
            self.temperature,
            self.divergence,
            self.beta,
            self.num_words,
            labels=batch["labels"],
            label_share=self.label_share,
        )
