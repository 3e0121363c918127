"""``MixedTarget``: the teacher's words and the word that was to be said, from the same logits of the student."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.vocabulary.label_target import LabelTarget
from slimlit.vocabulary.target import Prepared
from slimlit.vocabulary.teacher_target import TeacherTarget


@dataclass(frozen=True)
class MixedTarget:
    """``tau^2 D = (1 - a) tau^2 D_teacher + a D_labels``; the labels are compared at the temperature 1."""

    teacher: TeacherTarget
    labels: LabelTarget
    label_share: float
    num_rooms: int = 3

    @property
    def temperature(self) -> float:
        """The teacher's."""
        return self.teacher.temperature

    def prepare(self, num_words: int, cast: torch.dtype | None) -> "PreparedMixture":
        """Both."""
        return PreparedMixture(self, self.teacher.prepare(num_words, cast))


class PreparedMixture:
    """Both targets in one pass over a batch."""

    def __init__(self, target: MixedTarget, teacher: Prepared) -> None:
        self.target, self.teacher = target, teacher
        self.room: Tensor | None = None

    def losses(
        self, places: Int[Tensor, " some"], logits: Float[Tensor, "some words"], gradient: bool
    ) -> Float[Tensor, " some"]:
        """The mixture of some tokens."""
        tau, share = self.target.temperature, self.target.label_share
        if self.room is None or len(self.room) < len(places):
            self.room = torch.empty_like(logits)
        true = torch.mul(logits, tau, out=self.room[: len(places)])
        by_labels = self.target.labels.losses(places, true, gradient)
        by_teacher = self.teacher.losses(places, logits, gradient)
        if gradient:
            logits.mul_(1.0 - share).add_(true, alpha=share / tau)
        return (1.0 - share) * by_teacher + share / tau**2 * by_labels
