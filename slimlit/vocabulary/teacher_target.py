"""``TeacherTarget``: the teacher's words, all of them, rebuilt from its hidden states a block of tokens at a time."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.types import WordHead
from slimlit.vocabulary.head import Head
from slimlit.vocabulary.target import dots, strips

Divergence = Literal["forward", "reverse", "jensen-shannon"]
_TINY = 1e-37  # smallest number that float32 holds with all digits; shares below it count nothing


@dataclass(frozen=True)
class TeacherTarget:
    """``D`` between the teacher's and the student's softened words; see :func:`vocabulary_divergence`."""

    teacher: WordHead
    temperature: float
    divergence: Divergence
    beta: float
    num_rooms: int = 2

    def prepare(self, num_words: int, cast: torch.dtype | None) -> "PreparedTeacher":
        """The teacher's weights in the precision of its products."""
        return PreparedTeacher(self, Head.of(self.teacher, num_words, self.temperature, cast))


class PreparedTeacher:
    """The teacher in one pass over a batch."""

    def __init__(self, target: TeacherTarget, head: Head) -> None:
        self.target, self.head = target, head
        self.room: Tensor | None = None

    def losses(
        self, places: Int[Tensor, " some"], logits: Float[Tensor, "some words"], gradient: bool
    ) -> Float[Tensor, " some"]:
        """The divergence of some tokens."""
        if self.room is None or len(self.room) < len(places):
            self.room = self.head.room(len(places))
        theirs = self.head.logits(places, self.room)
        found = [self._strip(theirs[rows], logits[rows], gradient) for rows in strips(logits)]
        return torch.cat(found)

    def _strip(
        self, theirs: Float[Tensor, "rows words"], ours: Float[Tensor, "rows words"], gradient: bool
    ) -> Float[Tensor, " rows"]:
        """The divergence of a few tokens; ``ours`` becomes the gradient."""
        beta = self.target.beta
        if self.target.divergence == "jensen-shannon":
            shares, mine = torch.softmax(theirs, dim=-1), torch.softmax(ours, dim=-1)
            mixed = torch.lerp(mine, shares, beta).clamp_(min=_TINY)
            theirs_over = torch.div(shares, mixed, out=theirs).clamp_(min=_TINY).log_()
            ours_over = torch.div(mine, mixed, out=mixed).clamp_(min=_TINY).log_()
            own = dots(mine, ours_over)
            if gradient:
                torch.mul(mine, ours_over.sub_(own.unsqueeze(1)), out=ours).mul_(1.0 - beta)
            return beta * dots(shares, theirs_over) + (1.0 - beta) * own
        target, answer = torch.log_softmax(theirs, dim=-1), torch.log_softmax(ours, dim=-1)
        if self.target.divergence == "forward":
            shares = torch.exp(target, out=theirs)
            loss = dots(shares, target.sub_(answer))
            if gradient:
                torch.sub(answer.exp_(), shares, out=ours)
        else:
            shares = torch.exp(answer, out=theirs)
            loss = dots(shares, answer.sub_(target))
            if gradient:
                torch.mul(shares, answer.sub_(loss.unsqueeze(1)), out=ours)
        return loss
