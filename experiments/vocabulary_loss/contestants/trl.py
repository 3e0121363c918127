"""trl's chunked divergence, its PyTorch path."""

import contextlib
import sys
from types import ModuleType

from torch import Tensor

from experiments.vocabulary_loss.contestants.files import load
from experiments.vocabulary_loss.job import Job


def forward_divergence(job: Job) -> Tensor:
    """Their forward KL, averaged over tokens; tiles of 4,096 tokens by 32,768 words, their constants."""
    for name in ("trl.trainer", "trl.trainer.utils"):
        sys.modules.setdefault(name, ModuleType(name))
    # what it takes from there gathers sharded weights, of which there are none
    sys.modules["trl.trainer.utils"].maybe_gather_lm_head_ctx = lambda *_: contextlib.nullcontext()  # type: ignore[attr-defined]
    load("trl", "kernels/chunked_logprob.py")
    chunked = load("trl", "kernels/chunked_divergence.py").ChunkedDivergenceFunction
    ours, theirs = job.rows
    divergence, _ = chunked.apply(ours, job.weight, None, theirs, job.teacher.weight, None, 0.0)
    loss: Tensor = divergence.mean()
    loss.backward()
    return loss
