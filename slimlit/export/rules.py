"""``Rules``: what an encoder-decoder may write, beside what is likely: where it begins and ends, which words it never says."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from slimlit.export.sample import Array
from slimlit.models import PreTrainedModel

_UNKNOWN = {
    "repetition_penalty": 1.0, "encoder_repetition_penalty": 1.0, "encoder_no_repeat_ngram_size": 0, "sequence_bias": None,
    "begin_suppress_tokens": None, "exponential_decay_length_penalty": None, "guidance_scale": None,
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
    """

    start: int
    stops: list[int]
    never: list[int]
    first: int | None
    last: int | None
    least: int
    ngram: int

    def choose(self, logits: Array, words: Sequence[int], stops: Collection[int], is_last: bool) -> int:
        """The likeliest word after those, of the logits of all words, that may be said."""
        if is_last and self.last is not None:
            return self.last
        if not words and self.first is not None:
            return self.first
        barred = [*self.never, *self._again([self.start, *words])]
        if len(words) < self.least:
            barred += stops
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
    for name, plain in _UNKNOWN.items():
        if told.get(name) not in (None, plain):
            raise ValueError(
                f"the network writes with {name} {told[name]}, which the program beside these files does not know\n"
                "export it --to hub, or train without it"
            )
    said = (told.get("decoder_start_token_id"), told.get("bos_token_id"))
    start = next((token for token in said if token is not None), None)
    if start is None:
        raise ValueError("the network does not say what comes before the first word\nset decoder_start_token_id in its generation_config.json")  # fmt: skip
    ends = told.get("eos_token_id")
    stops = [] if ends is None else [int(end) for end in (ends if isinstance(ends, list) else [ends])]
    phrases = told.get("bad_words_ids") or []
    if any(len(phrase) > 1 for phrase in phrases):
        raise ValueError("the network never says some phrases of several tokens (bad_words_ids), which this export does not know\nexport it --to hub")  # fmt: skip
    return Rules(
        start=int(start),
        stops=stops,
        never=[int(word) for (word,) in phrases if word not in stops] + list(told.get("suppress_tokens") or []),
        first=told.get("forced_bos_token_id"),
        last=told.get("forced_eos_token_id"),
        least=max(int(told.get("min_length") or 0) - 1, int(told.get("min_new_tokens") or 0), 0),
        ngram=int(told.get("no_repeat_ngram_size") or 0),
    )
