"""``HardLabels``: cross-entropy with the labels of the data."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.losses.base import Loss, mean_of_asked
from slimlit.types import Batch, Output


class HardLabels(Loss):
    """Cross-entropy of the student's logits with the true label, one number per example, in nats.

    ``L_b = -sum_c q_c log softmax(z_b)_c`` with ``q = (1 - s) onehot(y_b) + s / classes``; where an example has a label for
    each of several places, the mean over those that have one (not -100).

    Guarantees:
        - never reads a place without a label; never mixes two examples;
        - an example without any label has loss 0.

    Args:
        label_smoothing: ``s``, the share of probability spread over all classes, 0 to 1.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {label_smoothing}; expected 0 to 1")
        self.label_smoothing = label_smoothing

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The cross-entropy of each example."""
        logits, labels = student.logits.float(), batch["labels"]
        if labels.dim() == 1:
            return torch.nn.functional.cross_entropy(
                logits, labels, reduction="none", label_smoothing=self.label_smoothing
            )
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), labels, reduction="none", label_smoothing=self.label_smoothing
        )
        return mean_of_asked(losses, labels)
