"""Liger-Kernel's chunked loss, its PyTorch path, without the compiler (which takes longer than the step on a processor)."""

import torch
from torch import Tensor

from experiments.vocabulary_loss.job import Job


def forward_divergence(job: Job) -> Tensor:
    """Their Jensen-Shannon loss at beta 0, which is KL from teacher to student; 1,024 tokens a chunk, their default."""
    from liger_kernel.chunked_loss.jsd_loss import LigerFusedLinearJSDLoss

    make = LigerFusedLinearJSDLoss(weight_hard_loss=0.0, weight_soft_loss=1.0, beta=0.0, compiled=False)
    ours, theirs = job.rows
    loss: Tensor = make(ours, job.weight, theirs, job.teacher.weight, job.labels.flatten())
    loss.backward()
    return loss.detach() * torch.ones(())
