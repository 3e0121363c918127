"""``PoolingWeights``: the student's pooling looks where the teacher's does."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.losses.base import Loss, teacher_of
from slimlit.models import SequenceClassifierConfig
from slimlit.types import Batch, Configured, Needs, Output


class PoolingWeights(Loss):
    """Kullback-Leibler divergence from the teacher's pooling weights to the student's, one number per example, in nats.

    ``L_b = 1 / heads sum_heads sum_{i in x_b} a^T_i log(a^T_i / a^S_i)``, over the tokens of the example; head by head.

    Guarantees:
        - zero where both look alike, and positive elsewhere;
        - never reads a padded token; never mixes two examples.
    """

    student_needs: Needs = frozenset({"pooling_weights"})
    teacher_needs: Needs = frozenset({"pooling_weights"})

    def prepare(self, student: Configured, teacher: Configured | None) -> None:
        """Check that both pool by attention, with as many heads.

        Raises:
            ValueError: one does not, or there is no teacher.
        """
        heads = {}
        for role, config in (("teacher", teacher_of(self, teacher).config), ("student", student.config)):
            if not isinstance(config, SequenceClassifierConfig) or config.pooling != "attention":
                how = (
                    f"pools by {config.pooling!r}" if isinstance(config, SequenceClassifierConfig) else "has no pooling"
                )
                raise ValueError(
                    f"PoolingWeights compares attention poolings, and the {role} {how}\n"
                    "train it with pooling: attention, or use TokenShares, which any pooling has"
                )
            heads[role] = config.num_pooling_heads
        if heads["teacher"] != heads["student"]:
            raise ValueError(
                f"PoolingWeights compares head by head: the teacher has {heads['teacher']}, the student {heads['student']}\n"
                f"set the student's num_pooling_heads to {heads['teacher']}"
            )

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The divergence of each example."""
        theirs, ours = teacher_of(self, teacher).pooling_weights, student.pooling_weights
        assert theirs is not None
        assert ours is not None
        real = batch["attention_mask"].bool().unsqueeze(1)
        target, answer = _positive(theirs, real), _positive(ours, real)
        return (target * (target.log() - answer.log())).masked_fill(~real, 0.0).sum(dim=-1).mean(dim=-1)


def _positive(weights: Float[Tensor, "batch heads tokens"], real: Tensor) -> Float[Tensor, "batch heads tokens"]:
    """Weights whose logarithm is finite: a token hidden from both poolings counts nothing, and padding is never read."""
    return weights.float().masked_fill(~real, 1.0).clamp(min=torch.finfo(torch.float32).tiny)
