"""``write``: a language model writes on, token by token, with the keys and values of what it has read kept."""

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from slimlit.types import Batch

FINISHED = -1


@dataclass(frozen=True)
class Writing:
    """How a text is written.

    Args:
        max_new_tokens: at most; fewer where a stop token comes.
        stops: tokens at which a text is over; the one that came is written too.
        temperature: of the softmax that tokens are drawn from; 0 takes the likeliest.
        top_p: tokens are drawn from the fewest likeliest that have this share together (Holtzman et al. 2020, arXiv:1904.09751).
    """

    max_new_tokens: int
    stops: frozenset[int]
    temperature: float = 0.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0.0:
            raise ValueError(
                f"max_new_tokens is {self.max_new_tokens} and temperature {self.temperature:g}; expected 1 or more and 0 or more"
            )
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p is {self.top_p:g}; expected above 0, and 1 at most")


@dataclass
class Memory:
    """The keys and values of one text that a network has read, for texts that begin with the same tokens."""

    ids: list[int] = field(default_factory=list)
    cache: Any = None

    def keep(self, ids: Sequence[int]) -> int:
        """Forget all but what those tokens begin with, the last of them left out; say how many are remembered."""
        most = min(len(self.ids), len(ids) - 1)
        common = next((place for place in range(most) if self.ids[place] != ids[place]), most)
        is_plain = isinstance(self.cache, DynamicCache) and not any(self.cache.is_sliding)
        if not is_plain or not common:
            self.ids, self.cache = [], None
        elif common < len(self.ids):
            self.cache.crop(common - len(self.ids))
            self.ids = self.ids[:common]
        return len(self.ids)


@torch.no_grad()
def write(
    network: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    how: Writing,
    draws: Float[np.ndarray, "batch words"] | None = None,
    source: Batch | None = None,
    memory: Memory | None = None,
) -> Iterator[list[int]]:
    """The next token of each text, again and again until all are over; :data:`FINISHED` for a text that is.

    Guarantees:
        - with temperature 0, what transformers' greedy search writes;
        - a row's tokens depend on its own prompt and draws, and on its neighbours through rounding alone; a row written
          alone, not even so;
        - no random number of torch is used.

    Args:
        network: a causal language model or an encoder-decoder, in eval mode.
        prompts: the tokens to write on from; for an encoder-decoder, those its decoder begins with, all of one number.
        how: long, until when, and how surely; beyond the network's positions a text repeats the last of them.
        draws: evenly spread numbers from 0 to 1, one for each token to draw; needed where the temperature is above 0.
        source: what an encoder reads, in the order of the prompts.
        memory: of the one text that was written before, used and brought up to date; for a prompt alone.
    """
    device = network.get_input_embeddings().weight.device
    longest = max(map(len, prompts))
    pad = next(iter(how.stops), 0)
    ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=device)
    known = memory.keep(prompts[0]) if memory is not None and len(prompts) == 1 else 0
    read = _Reader(network, mask, source, memory.cache if memory is not None else None)
    logits, finished = read(ids[:, known:]), torch.zeros(len(prompts), dtype=torch.bool, device=device)
    if memory is not None:
        memory.ids, memory.cache = list(prompts[0]), read.cache
    stops = torch.tensor(sorted(how.stops), device=device)
    for number in range(how.max_new_tokens):
        drawn = None if draws is None else torch.from_numpy(draws[:, number]).to(device)
        chosen = choose(logits, how.temperature, drawn, how.top_p)
        yield torch.where(finished, FINISHED, chosen).tolist()
        finished |= torch.isin(chosen, stops)
        if bool(finished.all()) or number + 1 == how.max_new_tokens:
            return
        logits = read(chosen[:, None])
        if memory is not None:
            memory.ids = [*memory.ids, int(chosen[0])]


def write_all(
    network: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    how: Writing,
    draws: Float[np.ndarray, "batch words"] | None = None,
    source: Batch | None = None,
) -> list[list[int]]:
    """All that :func:`write` gives, by text."""
    texts: list[list[int]] = [[] for _ in prompts]
    for tokens in write(network, prompts, how, draws, source):
        for text, token in zip(texts, tokens, strict=True):
            text.extend([] if token == FINISHED else [token])
    return texts


def choose(
    logits: Float[Tensor, "batch vocabulary"],
    temperature: float,
    draws: Float[Tensor, " batch"] | None,
    top_p: float = 1.0,
) -> Int[Tensor, " batch"]:
    """One token a row: the likeliest, or the one its draw falls on when all that may come stand side by side, as wide as they are likely."""
    if temperature == 0.0:
        return logits.argmax(dim=-1)
    assert draws is not None
    shares = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p < 1.0:
        likeliest, words = shares.sort(dim=-1, descending=True, stable=True)
        before = likeliest.cumsum(dim=-1) - likeliest
        shares = shares.scatter(-1, words, likeliest.where(before < top_p, 0.0))
    ends = shares.cumsum(dim=-1)
    return (ends <= draws[:, None] * ends[:, -1:]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)


class _Reader:
    """Reads some tokens more, and says what may come next."""

    def __init__(
        self, network: PreTrainedModel, mask: Int[Tensor, "batch tokens"], source: Batch | None, cache: Any
    ) -> None:
        self.network, self.mask, self.cache = network, mask, cache
        accepted = inspect.signature(type(network).forward).parameters
        self.inputs: dict[str, Any] = {"use_cache": True}
        self.has_positions = "position_ids" in accepted
        self.last_position = int(network.config.max_position_embeddings) - 1 if self.has_positions else 0
        self.is_pair = bool(network.config.is_encoder_decoder)
        if self.is_pair:
            assert source is not None
            seen = {"attention_mask": source["attention_mask"]}
            # of transformers' own making it would have as many layers as the encoder, where T5's decoder has more
            self.cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
            self.inputs |= {**seen, "encoder_outputs": network.get_encoder()(source["input_ids"], **seen)}
        elif "logits_to_keep" in accepted:
            self.inputs["logits_to_keep"] = 1
        self.num_read = 0 if cache is None else int(cache.get_seq_length())

    def __call__(self, ids: Int[Tensor, "batch new"]) -> Float[Tensor, "batch vocabulary"]:
        """The logits after the last of those tokens."""
        self.num_read += ids.shape[1]
        more = self.num_read - self.mask.shape[1]
        if more > 0:
            self.mask = torch.cat([self.mask, self.mask.new_ones(len(ids), more)], dim=1)
        inputs = {**self.inputs, "past_key_values": self.cache}
        if self.is_pair:
            inputs["decoder_input_ids"] = ids
        else:
            inputs |= {"input_ids": ids, "attention_mask": self.mask}
            if self.has_positions:
                inputs["position_ids"] = (self.mask.cumsum(dim=1) - 1).clamp(0, self.last_position)[:, -ids.shape[1] :]
        answer = self.network(**inputs)
        self.cache = answer.past_key_values
        logits: Tensor = answer.logits[:, -1].float()
        return logits
