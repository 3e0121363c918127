"""The formula as one would write it: all logits of both sides at once."""

import torch
from torch import Tensor
from torch.nn import functional

from experiments.vocabulary_loss.job import Job


def forward_divergence(job: Job) -> Tensor:
    """KL from teacher to student, averaged over tokens."""
    target = functional.log_softmax(job.teacher.logits(), dim=-1)
    answer = functional.log_softmax(functional.linear(job.hidden, job.weight), dim=-1)
    loss = torch.sum(target.exp() * (target - answer), dim=-1).mean()
    loss.backward()
    return loss
