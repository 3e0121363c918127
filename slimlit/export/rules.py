"""``Rules``: what an exported network may write, beside what is likely: where it begins and ends, which words it never says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimlit.export.sample import Array
from slimlit.models import PreTrainedModel
from slimlit.models.generation import num_positions

_UNKNOWN = {
    "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "encoder_no_repeat_ngram_size": 0, "sequence_bias": None,
    "begin_suppress_tokens": None, "exponential_decay_length_penalty": None, "guidance_scale": None, "force_words_ids": None,
    "stop_strings": None,
}  # fmt: skip
_UNKNOWN_TO_WRITERS = {
    **_UNKNOWN, "bad_words_ids": None, "suppress_tokens": None, "forced_bos_token_id": None, "forced_eos_token_id": None,
    "no_repeat_ngram_size": 0, "min_length": 0, "min_new_tokens": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What ``generate`` obeys where it takes the likeliest word each time; tokens by number.

    Args:
        start: the token before the first word.
        stops: what ends a text.
        never: words that are not said: padding, of many Marians.
        first: the first word, where it is always the same: a language, of some models.
        last: the word after which there is no room.
        least: words, at least, before a text may end.
        ngram: words in a row that do not come twice; 0 where they may.
        most: words of a text, unless more are asked for.
    """

    start: int
    stops: list[int]
    never: list[int]
    first: int | None
    last: int | None
    least: int
    ngram: int
    most: int

    def choose(self, logits: Array, words: Sequence[int], is_last: bool) -> int:
        """The likeliest word after those, of the logits of all words, that may be said."""
        if is_last and self.last is not None:
            return self.last
        if not words and self.first is not None:
            return self.first
        barred = [*self.never, *self._again([self.start, *words])]
        if len(words) < self.least:
            barred += self.stops
        allowed = logits.copy()
        allowed[barred] = -np.inf
        return int(allowed.argmax())

    def _again(self, words: list[int]) -> list[int]:
        """What followed the last words where they came before."""
        if not 0 < self.ngram <= len(words):
            return []
        end = words[len(words) - self.ngram + 1 :]
        places = range(len(words) - self.ngram + 1)
        return [words[at + self.ngram - 1] for at in places if words[at : at + self.ngram - 1] == end]


def rules_of(network: PreTrainedModel) -> Rules:
    """The rules of a network's own generation settings.

    Raises:
        ValueError: they ask for what is not known here.
    """
    told = network.generation_config.to_dict()
    _refuse(told, _UNKNOWN)
    said = (told.get("decoder_start_token_id"), told.get("bos_token_id"))
    start = next((token for token in said if token is not None), None)
    if start is None:
        raise ValueError("the network does not say what comes before the first word\nset decoder_start_token_id in its generation_config.json")  # fmt: skip
    stops, last = stops_of(network), _several(told.get("forced_eos_token_id"))
    least = told.get("min_new_tokens")  # which generate prefers to min_length
    phrases = told.get("bad_words_ids") or []
    if any(len(phrase) > 1 for phrase in phrases):
        raise ValueError("the network never says some phrases of several tokens (bad_words_ids), which this export does not know\nexport it --to hub")  # fmt: skip
    return Rules(
        start=int(start),
        stops=stops,
        never=[int(word) for (word,) in phrases if word not in stops] + list(told.get("suppress_tokens") or []),
        first=told.get("forced_bos_token_id"),
        last=min(last, default=None),
        least=max(int(told.get("min_length") or 0) - 1, 0) if least is None else int(least),
        ngram=int(told.get("no_repeat_ngram_size") or 0),
        most=min(int(told.get("max_new_tokens") or 64), num_positions(network.config) or 64),
    )


def refuse_rules(network: PreTrainedModel) -> None:
    """A causal model says the likeliest word where it leaves: whatever else it is to obey is told.

    Raises:
        ValueError: its generation settings ask for more.
    """
    _refuse(network.generation_config.to_dict(), _UNKNOWN_TO_WRITERS)


def stops_of(network: PreTrainedModel) -> list[int]:
    """The words that end what a network writes."""
    return _several(network.generation_config.eos_token_id)


def _refuse(told: Mapping[str, Any], unknown: Mapping[str, Any]) -> None:
    for name, plain in unknown.items():
        if told.get(name) not in (None, plain):
            raise ValueError(
                f"the network writes with {name} {told[name]}, which the program beside these files does not know\n"
                "export it --to hub, or train without it"
            )


def _several(tokens: int | list[int] | None) -> list[int]:
    """Tokens that a setting names, one or several."""
    return [] if tokens is None else [int(one) for one in (tokens if isinstance(tokens, list) else [tokens])]
