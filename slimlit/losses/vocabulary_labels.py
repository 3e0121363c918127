"""``VocabularyLabels``: cross-entropy with the words of the data, without holding the logits."""

from jaxtyping import Float
from torch import Tensor

from slimlit.losses.base import Loss, words_of
from slimlit.types import Batch, Needs, Output
from slimlit.vocabulary import vocabulary_cross_entropy


class VocabularyLabels(Loss):
    """What ``HardLabels`` is for words, by blocks of tokens: cross-entropy, the mean over each example's own labels, in nats.

    ``L_b = -1 / |K_b| sum_{t in K_b} sum_v q_v log softmax(z_t)_v`` with ``q = (1 - s) onehot(y_t) + s / words``.

    Guarantees:
        - never reads a place without a label (-100); never mixes two examples;
        - an example without any label has loss 0;
        - never holds the logits of all tokens at once.

    Args:
        label_smoothing: ``s``, the share of probability spread over all words, 0 to 1.
        num_words: the first words of the head, which are chosen among; all unless given (a head may be padded).
    """

    student_needs: Needs = frozenset({"words"})

    def __init__(self, label_smoothing: float = 0.0, num_words: int | None = None) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {label_smoothing}; expected 0 to 1")
        self.label_smoothing, self.num_words = label_smoothing, num_words

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The cross-entropy of each example."""
        ours = words_of(self, student, "student")
        return vocabulary_cross_entropy(
            ours.hidden, ours.weight, ours.bias, batch["labels"], self.label_smoothing, self.num_words
        )
