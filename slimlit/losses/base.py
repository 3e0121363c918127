"""The one contract of a loss: outputs and batch in, one number per example out."""

from typing import TypeVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from slimlit.types import Batch, Configured, Needs, Output, WordHead

T = TypeVar("T")


class Loss(nn.Module):
    """One number per example; the task takes the mean, so no example's loss may depend on its neighbours.

    ``student_needs`` and ``teacher_needs`` name the outputs to compute, beyond the student's logits which are always
    there; a loss whose ``teacher_needs`` is empty trains without a teacher. ``num_words`` is how many words two vocabularies
    share of which one is padded, where a loss was told.
    """

    student_needs: Needs = frozenset()
    teacher_needs: Needs = frozenset()
    num_words: int | None = None

    def prepare(self, student: Configured, teacher: Configured | None) -> None:
        """Look at both networks once before training: check layers and widths, make projections.

        Raises:
            ValueError: the networks lack what the loss needs.
        """

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """One number per example."""
        raise NotImplementedError

    def parts(self, student: Output, teacher: Output | None, batch: Batch) -> dict[str, Float[Tensor, " batch"]]:
        """The named numbers this loss is made of, unweighted, as they are logged."""
        return {"loss": self(student, teacher, batch)}

    def combine(self, parts: dict[str, Float[Tensor, " batch"]]) -> Float[Tensor, " batch"]:
        """The loss from its :meth:`parts`."""
        return parts["loss"]


def teacher_of(loss: Loss, teacher: T | None) -> T:
    """The teacher, which this loss cannot do without."""
    if teacher is None:
        raise ValueError(
            f"{type(loss).__name__} compares with a teacher and there is none\nset model.init_args.teacher"
        )
    return teacher


def words_of(loss: Loss, output: Output, role: str) -> WordHead:
    """What a language model says before its logits are made, which this loss reads."""
    if output.words is None:
        raise ValueError(
            f"{type(loss).__name__} reads the words of a language model and the {role} is none\n"
            "use HardLabels or SoftTargets for classes"
        )
    return output.words


def mean_of_asked(
    values: Float[Tensor, "batch answers"], labels: Int[Tensor, "batch answers"]
) -> Float[Tensor, " batch"]:
    """The mean of each example over its own places that have a label; 0 where none has."""
    asked = labels != -100
    return values.masked_fill(~asked, 0.0).sum(dim=-1) / asked.sum(dim=-1).clamp(min=1)
