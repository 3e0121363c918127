"""The floor: both sides' logits, and the gradients of hidden states and words, as matrix products alone."""

import torch
from torch import Tensor

from experiments.vocabulary_loss.job import Job
from slimlit.vocabulary.blocks import rows_within


def whole(job: Job) -> Tensor:
    """Four products of whole matrices, as ``linear`` and its backward pass make them."""
    with torch.no_grad():
        (ours, theirs), weight = job.rows, job.weight
        torch.mm(theirs, job.teacher.weight.t())
        slopes = torch.mm(ours, weight.t())
        torch.mm(slopes, weight)
        return torch.mm(slopes.t(), ours)[0, 0]


def in_blocks(job: Job) -> Tensor:
    """The same by blocks of tokens, and of words, as slimlit takes them."""
    with torch.no_grad():
        (ours, theirs), weight, num_words = job.rows, job.weight, len(job.weight)
        size = rows_within(None, 8 * num_words)
        rooms = torch.empty(2, size, num_words)
        hidden, words = torch.empty_like(ours), torch.zeros_like(weight)
        for start in range(0, len(ours), size):
            rows = slice(start, start + size)
            slopes, target = rooms[:, : len(ours[rows])]
            for first in range(0, num_words, 1024):
                some = slice(first, first + 1024)
                torch.mm(ours[rows], weight[some].t(), out=slopes[:, some])
                torch.mm(theirs[rows], job.teacher.weight[some].t(), out=target[:, some])
            torch.mm(slopes, weight, out=hidden[rows])
            words.addmm_(slopes.t(), ours[rows])
        return words[0, 0]
