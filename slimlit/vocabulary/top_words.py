"""``TopWords``: the teacher's ``k`` likeliest words of every token, and the probability of all the rest together."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from slimlit.types import TopWords, WordHead
from slimlit.vocabulary.blocks import rows_within
from slimlit.vocabulary.head import Head, autocast_dtype
from slimlit.vocabulary.target import dots, strips


def top_words(
    teacher: WordHead,
    counted: Bool[Tensor, "batch tokens"],
    k: int,
    temperature: float = 1.0,
    num_words: int | None = None,
    budget: float | None = None,
) -> TopWords:
    """The teacher's likeliest words, a block of tokens at a time; zeros where a token is not counted.

    Args:
        teacher: hidden states and words.
        counted: the tokens that are asked for.
        k: words to keep.
        temperature: ``tau``; the left-over probability holds for it alone.
        num_words: the first words, which are chosen among; all unless given.
        budget: MiB of logits to hold at once; the room of 256 tokens unless given, or 64 where that is more.

    Raises:
        ValueError: ``k`` is not among 1 to the number of words.
    """
    if has_torch_function((teacher.hidden,)):  # the recording of private training sees this call whole
        bias = None if teacher.bias is None else teacher.bias.detach()
        teacher = WordHead(teacher.hidden.detach(), teacher.weight.detach(), bias)
        more = (teacher, counted, k, temperature, num_words, budget)
        return handle_torch_function(top_words, (teacher.hidden,), *more)
    num_words = num_words or len(teacher.weight)
    if not 1 <= k <= num_words:
        raise ValueError(f"k is {k}; expected 1 to the {num_words} words there are")
    head = Head.of(teacher, num_words, temperature, autocast_dtype(counted.device))
    places = counted.flatten().nonzero().flatten()
    size = rows_within(budget, 8 * num_words)
    room = head.room(min(size, len(places)))
    logs = room.new_zeros(counted.numel(), k)
    words = torch.zeros(logs.shape, dtype=torch.long, device=logs.device)
    rest = room.new_zeros(counted.numel())
    with torch.no_grad(), torch.autocast(counted.device.type, enabled=False):
        for some in torch.split(places, size):
            shares = torch.log_softmax(head.logits(some, room), dim=-1)
            logs[some], words[some] = shares.topk(k, dim=-1)
            rest[some] = shares.scatter_(1, words[some], -torch.inf).exp_().sum(dim=-1)
    shape = *counted.shape, k
    return TopWords(logs.view(shape), words.view(shape), rest.view(counted.shape))


@dataclass(frozen=True)
class TopTarget:
    """``D = sum_{v in top} p_v log(p_v / q_v) + p_rest log(p_rest / q_rest)``, ``q`` the student's; see :func:`top_k_divergence`."""

    top: TopWords
    temperature: float
    num_rooms: int = 1

    def prepare(self, num_words: int, cast: torch.dtype | None) -> "TopTarget":
        """Nothing to make ready."""
        return self

    def losses(
        self, places: Int[Tensor, " some"], logits: Float[Tensor, "some words"], gradient: bool
    ) -> Float[Tensor, " some"]:
        """The divergence of some tokens."""
        logs = self.top.log_probabilities.flatten(0, 1).index_select(0, places).to(logits.dtype)
        words = self.top.words.flatten(0, 1).index_select(0, places)
        rest = self.top.rest.flatten().index_select(0, places).to(logits.dtype)
        found = [self._strip(logs[rows], words[rows], rest[rows], logits[rows], gradient) for rows in strips(logits)]
        return torch.cat(found)

    def _strip(self, logs: Tensor, words: Tensor, rest: Tensor, ours: Tensor, gradient: bool) -> Float[Tensor, " rows"]:
        """The divergence of a few tokens; ``ours`` becomes the gradient."""
        answer, shares = torch.log_softmax(ours, dim=-1), logs.exp()
        at = answer.gather(1, words)
        loss = dots(shares, logs - at)
        mine = torch.exp(answer, out=ours)
        own = at.exp()
        if words.shape[1] < ours.shape[1]:  # else there are no others
            mine.scatter_(1, words, 0.0)
            left = mine.sum(dim=1).clamp_(min=torch.finfo(mine.dtype).tiny)
            loss = loss + torch.special.xlogy(rest, rest / left)
        else:
            left, rest = torch.ones_like(rest), torch.zeros_like(rest)
        if gradient:
            total = shares.sum(dim=1) + rest
            mine.mul_((total - rest / left).unsqueeze(1))
            mine.scatter_(1, words, own * total.unsqueeze(1) - shares)
        return loss
