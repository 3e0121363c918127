"""``Job``: hidden states and words of a student and a wider teacher, the same numbers for every contestant."""

from dataclasses import dataclass

import torch
from torch import Tensor

from slimlit.types import WordHead

STUDENT, TEACHER = 768, 1024  # widths: DistilGPT-2 and GPT-2 medium


@dataclass
class Job:
    """A batch of ``examples`` texts of 128 tokens, all of which count."""

    hidden: Tensor
    weight: Tensor
    teacher: WordHead
    labels: Tensor

    @property
    def rows(self) -> tuple[Tensor, Tensor]:
        """Hidden states of student and teacher, a row a token."""
        return self.hidden.flatten(0, 1), self.teacher.hidden.flatten(0, 1)


def make_job(num_tokens: int, num_words: int) -> Job:
    """Random states and words, whose logits spread like those of a language model."""
    random = torch.Generator().manual_seed(0)
    batch = max(1, num_tokens // 128), min(128, num_tokens)

    def draw(*shape: int, std: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=random).mul_(std)

    return Job(
        draw(*batch, STUDENT).requires_grad_(),
        draw(num_words, STUDENT, std=0.05).requires_grad_(),
        WordHead(draw(*batch, TEACHER), draw(num_words, TEACHER, std=0.05)),
        torch.randint(0, num_words, batch, generator=random),
    )
