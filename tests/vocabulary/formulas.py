"""The losses over a vocabulary written naively, in float64, all logits at once; and random inputs for them."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slimlit.types import WordHead

WORDS = 23


@dataclass
class Inputs:
    hidden: Tensor
    weight: Tensor
    bias: Tensor
    teacher: WordHead
    labels: Tensor

    @property
    def counted(self) -> Tensor:
        return self.labels != -100

    @property
    def student(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.hidden, self.weight, self.bias


def make_inputs(
    counts: tuple[int, ...] = (4, 0, 6, 1, 3), words: int = WORDS, dtype: torch.dtype = torch.float32
) -> Inputs:
    """Examples of up to six tokens, some of which count, in no order; teacher twice as wide."""
    random = torch.Generator().manual_seed(len(counts) + words)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random).to(dtype)

    batch = len(counts)
    labels = torch.randint(0, words, (batch, 6), generator=random)
    for row, count in enumerate(counts):
        labels[row, torch.randperm(6, generator=random)[count:]] = -100
    teacher = WordHead(draw(batch, 6, 8), draw(words, 8), draw(words))
    student = [draw(batch, 6, 4), draw(words, 4), draw(words)]
    return Inputs(*[tensor.requires_grad_() for tensor in student], teacher, labels)


def in_double(inputs: Inputs) -> Inputs:
    """The same numbers in float64, as leaves of their own."""
    theirs = inputs.teacher
    assert theirs.bias is not None
    teacher = WordHead(theirs.hidden.double(), theirs.weight.double(), theirs.bias.double())
    return Inputs(*[t.detach().double().requires_grad_() for t in inputs.student], teacher, inputs.labels)


def naive(
    inputs: Inputs,
    kind: str,
    tau: float = 1.0,
    beta: float = 0.5,
    smoothing: float = 0.0,
    k: int = 5,
    label_share: float = 0.0,
) -> Tensor:
    """The mean over each example's counted tokens of the loss written out."""
    if label_share:
        return (1 - label_share) * naive(inputs, kind, tau, beta) + label_share * naive(inputs, "labels")
    student, teacher = WordHead(*inputs.student).logits(), inputs.teacher.logits()
    log_q, log_p = (torch.log_softmax(logits / tau, dim=-1) for logits in (student, teacher))
    q, p = log_q.exp(), log_p.exp()
    each: Any
    if kind == "labels":
        wanted = torch.nn.functional.one_hot(inputs.labels.clamp(min=0), q.shape[-1]) * (1 - smoothing)
        each = -((wanted + smoothing / q.shape[-1]) * log_q).sum(-1)
    elif kind == "forward":
        each = (p * (log_p - log_q)).sum(-1)
    elif kind == "reverse":
        each = (q * (log_q - log_p)).sum(-1)
    elif kind == "jensen-shannon":
        log_m = (beta * p + (1 - beta) * q).log()
        each = beta * (p * (log_p - log_m)).sum(-1) + (1 - beta) * (q * (log_q - log_m)).sum(-1)
    else:
        top = p.topk(k, dim=-1).indices
        p, q = p.gather(-1, top), q.gather(-1, top)
        p, q = (torch.cat([part, 1 - part.sum(-1, keepdim=True)], dim=-1) for part in (p, q))
        each = (p * (p / q).log()).sum(-1)
    counted = inputs.counted
    return tau**2 * (each * counted).sum(-1) / counted.sum(-1).clamp(min=1)
