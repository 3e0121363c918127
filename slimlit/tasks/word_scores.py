"""``WordScores``: how well a model says the words it was asked for, summed over a split, a block of places at a time."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from slimlit.types import Output, WordHead

_BLOCK = 2**24  # logits held at once


class WordScores(Metric):
    """Perplexity, bits per byte and accuracy of words; agreement with a teacher and divergence from it.

    ``perplexity = exp(nats / words)`` and ``bits_per_byte = nats / ln 2 / bytes``, with ``nats = sum_t -log p(y_t)`` over all
    words asked for in the whole split, on all processes: never a mean of means. ``agreement`` is the share of places where the
    likeliest word is the teacher's, ``divergence`` the mean of ``KL(p_T || p_S)`` in nats.
    """

    full_state_update = False
    nats: Tensor
    words: Tensor
    correct: Tensor
    bytes: Tensor
    agreeing: Tensor
    diverging: Tensor
    taught: Tensor
    compared: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("nats", "words", "correct", "bytes", "agreeing", "diverging", "taught", "compared"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(
        self, student: Output, teacher: Output | None, labels: Int[Tensor, "batch answers"], num_bytes: int = 0
    ) -> None:
        """Add a batch; ``num_bytes`` is the UTF-8 of what its labels say."""
        asked = labels != -100
        targets = labels[asked]
        size = max(1, _BLOCK // max(1, _num_words(student)))
        if teacher is not None and teacher.top is not None:  # all that a cache kept
            self._agree(student, teacher.top.words[asked][:, 0], asked, size)
            teacher = None
        taught = [None] * math.ceil(len(targets) / size) if teacher is None else _blocks(teacher, asked, size)
        for number, (logits, theirs) in enumerate(zip(_blocks(student, asked, size), taught, strict=True)):
            target = targets[number * size : (number + 1) * size]
            logs = torch.log_softmax(logits, dim=-1)
            best = logs.argmax(dim=-1)
            self.nats -= logs.gather(1, target[:, None]).double().sum()
            self.correct += (best == target).sum()
            if theirs is not None:
                shared = min(logits.shape[-1], theirs.shape[-1])  # one vocabulary may be padded
                others = torch.log_softmax(theirs[:, :shared], dim=-1)
                ours = logs if shared == logits.shape[-1] else torch.log_softmax(logits[:, :shared], dim=-1)
                self.diverging += (others.exp() * (others - ours)).sum(dim=-1).double().sum()
                self.agreeing += (best == others.argmax(dim=-1)).sum()
                self.taught += len(target)
                self.compared += len(target)
        self.words += len(targets)
        self.bytes += num_bytes

    def _agree(
        self, student: Output, best: Int[Tensor, " some"], asked: Bool[Tensor, "batch answers"], size: int
    ) -> None:
        for logits, theirs in zip(_blocks(student, asked, size), torch.split(best, size), strict=True):
            self.agreeing += (logits.argmax(dim=-1) == theirs).sum()
        self.taught += len(best)

    def compute(self) -> dict[str, Tensor]:
        """The scores that are known: bits per byte only where bytes are, agreement only with a teacher."""
        found = {"perplexity": (self.nats / self.words).exp(), "accuracy": self.correct / self.words}
        if self.bytes:
            found["bits_per_byte"] = self.nats / math.log(2.0) / self.bytes
        if self.taught:
            found["agreement"] = self.agreeing / self.taught
        if self.compared:
            found["divergence"] = self.diverging / self.compared
        return {name: value.float() for name, value in found.items()}


def _num_words(output: Output) -> int:
    return output.logits.shape[-1] if output.words is None else len(output.words.weight)


def _blocks(output: Output, asked: Bool[Tensor, "batch answers"], size: int) -> Iterator[Float[Tensor, "some words"]]:
    """The logits of the places asked, some at a time, in float32."""
    if output.words is None:
        yield from (block.float() for block in torch.split(output.logits[asked], size))
        return
    head = output.words
    for states in torch.split(head.hidden[asked], size):
        yield WordHead(states[None], head.weight, head.bias).logits()[0].float()
