"""slimlit's, in the blocks it takes unless told otherwise."""

import torch
from torch import Tensor

from experiments.vocabulary_loss.job import Job
from slimlit.vocabulary import Divergence, vocabulary_divergence


def losses(job: Job, divergence: Divergence = "forward") -> Tensor:
    """One number an example."""
    counted = torch.ones_like(job.labels, dtype=torch.bool)
    return vocabulary_divergence(job.hidden, job.weight, None, job.teacher, counted, divergence=divergence)


def forward_divergence(job: Job) -> Tensor:
    """KL from teacher to student, averaged over examples."""
    loss = losses(job).mean()
    loss.backward()
    return loss


def in_bf16(job: Job) -> Tensor:
    """The same with products in bf16."""
    with torch.autocast("cpu", torch.bfloat16):
        loss = losses(job).mean()
    loss.backward()
    return loss


def jensen_shannon(job: Job) -> Tensor:
    """The divergence that takes most arithmetic."""
    loss = losses(job, "jensen-shannon").mean()
    loss.backward()
    return loss


def unequal(job: Job) -> Tensor:
    """Examples that count differently, which takes a second pass."""
    each = losses(job)
    (each * torch.linspace(0.5, 1.5, len(each))).mean().backward()
    return each.mean()
