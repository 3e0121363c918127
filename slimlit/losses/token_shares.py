"""``TokenShares``: the student's logits are made from the same tokens as the teacher's."""

from jaxtyping import Bool, Float
from torch import Tensor

from slimlit.losses.base import Loss, teacher_of
from slimlit.models import SequenceClassifierConfig
from slimlit.types import Batch, Configured, Needs, Output


class TokenShares(Loss):
    """Squared distance between what each token adds to the student's and to the teacher's logits, one number per example.

    A classifier that is linear after its pooling has exact shares, ``s_ic = a_i (W h_i)_c``, whatever its width, and whether it
    pools by attention or by the mean. Logits say nothing but for their differences, so shares are taken less their mean over
    classes. ``L_b = |x_b| / classes sum_{i in x_b} sum_c (s^S_ic - s^T_ic)^2``.

    With ``d_i`` the differences of one class, ``|x_b| sum d_i^2 = (sum d_i)^2 + |x_b| sum (d_i - mean d)^2``: how far
    the logits are apart, and how unevenly that comes about. The first is what logits alone can teach, the second are the reasons.

    Guarantees:
        - never less than the mean squared distance of the logits, each less its bias and its mean over classes;
        - adding one number to all classes of a token changes nothing;
        - never reads a padded token; never mixes two examples.
    """

    student_needs: Needs = frozenset({"shares"})
    teacher_needs: Needs = frozenset({"shares"})

    def prepare(self, student: Configured, teacher: Configured | None) -> None:
        """Check that both are linear after a pooling.

        Raises:
            ValueError: one is not, or there is no teacher.
        """
        for role, config in (("teacher", teacher_of(self, teacher).config), ("student", student.config)):
            if not isinstance(config, SequenceClassifierConfig):
                raise ValueError(
                    f"TokenShares reads classifiers that are linear after their pooling, and the {role} is a "
                    f"{config.model_type}\ngive it one: pooling: mean, or attention"
                )

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The distance of each example."""
        theirs, ours = teacher_of(self, teacher).shares, student.shares
        assert theirs is not None
        assert ours is not None
        real = batch["attention_mask"].bool()
        distance = (_centred(ours, real) - _centred(theirs, real)).square().mean(dim=-1).sum(dim=-1)
        return distance * real.sum(dim=-1)


def _centred(
    shares: Float[Tensor, "batch tokens classes"], real: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens classes"]:
    kept = shares.float().masked_fill(~real.unsqueeze(-1), 0.0)
    return kept - kept.mean(dim=-1, keepdim=True)
