"""``SoftTargets``: the teacher's softened answers as targets."""

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.losses.base import Loss, mean_of_asked, teacher_of
from slimlit.types import Batch, Needs, Output


class SoftTargets(Loss):
    """Kullback-Leibler divergence from teacher to student over softened classes, one number per example, in nats.

    ``L_b = tau^2 sum_c p_T log(p_T / p_S)`` with ``p = softmax(logits / tau)``; the ``tau^2`` keeps gradients of one
    size whatever the temperature. Where an example has a label for each of several places, the mean over those that have
    one (not -100).

    Guarantees:
        - zero where both softened distributions agree, and positive elsewhere;
        - never reads a place without a label; never mixes two examples.

    Args:
        temperature: ``tau``; above 1 it shows the student how the teacher ranks the wrong classes.

    Source: Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2.
    """

    teacher_needs: Needs = frozenset({"logits"})

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        if not temperature > 0.0:
            raise ValueError(f"temperature is {temperature}; expected a number above 0")
        self.temperature = temperature

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The divergence of each example."""
        target = torch.log_softmax(teacher_of(self, teacher).logits.float() / self.temperature, dim=-1)
        answer = torch.log_softmax(student.logits.float() / self.temperature, dim=-1)
        divergence = self.temperature**2 * torch.sum(target.exp() * (target - answer), dim=-1)
        return divergence if divergence.dim() == 1 else mean_of_asked(divergence, batch["labels"])
