"""The same loss with every example's gradient clipped: by slimlit's engine, from whole logits and from blocks."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from experiments.vocabulary_loss.contestants import slimlit
from experiments.vocabulary_loss.job import Job
from slimlit.privacy.engine import ClippedGradients


def clipped(job: Job, losses_of: Callable[[], Tensor]) -> Tensor:
    """Forward, backward and the clipped sum; the hidden states' gradient goes on to the network."""
    engine = ClippedGradients({"words": job.weight}, 0.1)
    with engine.recording({"hidden": job.hidden, "teacher": job.teacher.hidden}, len(job.hidden)):
        losses = losses_of()
    engine.watch(losses).mean().backward()
    engine.clip()
    assert engine.take()["words"].shape == job.weight.shape
    return losses.mean()


def naive(job: Job) -> Tensor:
    """From all logits at once."""

    def losses() -> Tensor:
        target = functional.log_softmax(job.teacher.logits(), dim=-1)
        answer = functional.log_softmax(functional.linear(job.hidden, job.weight), dim=-1)
        return torch.sum(target.exp() * (target - answer), dim=-1).mean(1)

    return clipped(job, losses)


def in_blocks(job: Job) -> Tensor:
    """From blocks of whole examples."""
    return clipped(job, lambda: slimlit.losses(job))
