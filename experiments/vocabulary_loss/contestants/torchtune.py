"""torchtune's loss over chunks of logits, which it is given whole."""

from torch import Tensor
from torch.nn import functional

from experiments.vocabulary_loss.contestants.files import load
from experiments.vocabulary_loss.job import Job


def forward_divergence(job: Job) -> Tensor:
    """Their forward loss, which leaves the teacher's entropy out: a cross-entropy. Eight chunks, their default."""
    make = load("torchtune", "modules/loss/kd_losses.py").ForwardKLWithChunkedOutputLoss()
    ours = [functional.linear(part, job.weight) for part in job.hidden.chunk(8, dim=1)]
    theirs = [functional.linear(part, job.teacher.weight) for part in job.teacher.hidden.chunk(8, dim=1)]
    loss: Tensor = make(ours, theirs, job.labels)
    loss.backward()
    return loss
