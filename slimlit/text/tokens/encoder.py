"""``Encoder``: texts to ids, fast where that is exactly what the Hugging Face tokenizer gives, and by that tokenizer where not."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import commonprefix
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from slimlit.text.tokens.byte_pairs import BytePairs, Ids, Lengths, UnfitError
from slimlit.text.tokens.stretches import Stretches

SAMPLE = 100_000  # characters compared before a fast way is trusted
EVERY = 500  # later, one text of so many is compared


@dataclass(frozen=True)
class Encoded:
    """The ids of some texts end to end, and how many each has."""

    ids: Ids
    lengths: Lengths

    def arrays(self) -> list[Ids]:
        """The ids of each text."""
        return np.split(self.ids, np.cumsum(self.lengths)[:-1]) if len(self.lengths) else []


class Encoder:
    """A tokenizer for whole texts: nothing is cut off, padded or put around them.

    Byte-level BPE goes through tiktoken (``slimlit.text.tokens.byte_pairs``), others by remembered stretches
    (``slimlit.text.tokens.stretches``), the rest, and every text with an added token in it, through the tokenizer itself.

    Guarantees:
        - the ids are those of ``tokenizer.encode(text, add_special_tokens=False)``: a fast way is taken only where the
          tokenizer's rules make it exact, and never before it gave the same ids on the first texts;
        - one later text in 500 is compared again, and a difference stops the work.

    Args:
        tokenizer: a fast tokenizer's backend (``tokenizer.backend_tokenizer``), or a folder ``AutoTokenizer`` loads.
        fast: False to take the tokenizer itself.
    """

    def __init__(self, tokenizer: Tokenizer | str | Path, fast: bool = True) -> None:
        if not isinstance(tokenizer, Tokenizer):
            tokenizer = load_backend(str(tokenizer))
        self.tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        written = self.tokenizer.to_str()
        self.fingerprint = hashlib.sha256(written.encode()).hexdigest()
        self.vocab_size = 1 + max(self.tokenizer.get_vocab().values(), default=-1)
        settings: dict[str, Any] = json.loads(written)
        self._added = [token["content"] for token in settings["added_tokens"]]
        self._sign = commonprefix(self._added)  # noqa: RUF071 - of letters, as it should be
        self._ways: list[BytePairs | Stretches] = []
        self._refusals: list[str] = []
        for way in (BytePairs, Stretches) if fast else ():
            try:
                self._ways.append(way(self.tokenizer, settings))
            except UnfitError as reason:
                self._refusals.append(f"{way.name}: {reason}")
        self._is_trusted = False
        self._counts = {"texts": 0, "texts by the tokenizer itself": 0, "texts compared": 0}

    @property
    def way(self) -> str:
        """How texts are encoded: ``tiktoken``, ``stretches`` or ``tokenizers``."""
        return self._ways[0].name if self._ways else "tokenizers"

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The ids of texts.

        Raises:
            ValueError: a text that is no Unicode, or one whose ids differ from the tokenizer's though the first did not.
        """
        if not self._is_trusted and texts:
            self._settle(texts)
        self._counts["texts"] += len(texts)
        if not self._ways:
            self._counts["texts by the tokenizer itself"] += len(texts)
            return self._slow(texts)
        way = self._ways[0]
        is_fast = [self._is_unmarked(text) and way.can(text) for text in texts]
        found = Encoded(*way.encode(texts)) if all(is_fast) else self._both(texts, is_fast)
        self._compare(texts, found)
        if isinstance(way, Stretches) and not way.is_worthwhile:
            self._refusals.append("stretches: too few of them come again in these texts")
            self._ways.pop(0)
        return found

    def report(self) -> dict[str, Any]:
        """How it went: the way, why not another, and how many texts were compared."""
        return {"way": self.way, "refused": self._refusals, **self._counts}

    def _is_unmarked(self, text: str) -> bool:
        return (self._sign != "" and self._sign not in text) or not any(token in text for token in self._added)

    def _slow(self, texts: Sequence[str]) -> Encoded:
        try:
            found = [one.ids for one in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]
        except (TypeError, UnicodeError) as problem:
            raise ValueError(
                f"a text is no Unicode: {str(problem)[:200]}\nclean the texts first (slimlit.text.clean)"
            ) from problem
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        return Encoded(np.fromiter((i for ids in found for i in ids), np.uint32, int(lengths.sum())), lengths)

    def _both(self, texts: Sequence[str], is_fast: list[bool]) -> Encoded:
        way = self._ways[0]
        fast = Encoded(*way.encode([text for text, yes in zip(texts, is_fast, strict=True) if yes])).arrays()
        slow = self._slow([text for text, yes in zip(texts, is_fast, strict=True) if not yes]).arrays()
        self._counts["texts by the tokenizer itself"] += len(slow)
        fasts, slows = iter(fast), iter(slow)
        arrays = [next(fasts) if yes else next(slows) for yes in is_fast]
        return Encoded(np.concatenate(arrays), np.fromiter(map(len, arrays), np.int64, len(arrays)))

    def _settle(self, texts: Sequence[str]) -> None:
        """Take the first way that gives the tokenizer's ids on a sample of these texts."""
        sample, size = [], 0
        for text in texts:
            sample.append(text)
            size += len(text)
            if size > SAMPLE:
                break
        expected = self._slow(sample)
        while self._ways:
            way = self._ways[0]
            able = [self._is_unmarked(text) and way.can(text) for text in sample]
            if _is_same(self._both(sample, able), expected):
                break
            self._refusals.append(f"{way.name}: its ids differ on these texts")
            self._ways.pop(0)
        self._counts |= {"texts compared": len(sample), "texts by the tokenizer itself": 0}
        self._is_trusted = True

    def _compare(self, texts: Sequence[str], found: Encoded) -> None:
        """Compare every five-hundredth text of all."""
        start = self._counts["texts"] - len(texts)
        rows = [row for row in range(-start % EVERY, len(texts), EVERY) if start + row > 0]
        if not rows:
            return
        ends = np.cumsum(found.lengths)
        for row, expected in zip(rows, self._slow([texts[row] for row in rows]).arrays(), strict=True):
            if not np.array_equal(found.ids[ends[row] - found.lengths[row] : ends[row]], expected):
                raise ValueError(
                    f"{self.way} gave other ids than the tokenizer for text {start + row}, though not for the first ones\n"
                    "encode again with Encoder(tokenizer, fast=False)"
                )
        self._counts["texts compared"] += len(rows)


def _is_same(one: Encoded, other: Encoded) -> bool:
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.lengths, other.lengths)


def load_backend(source: str) -> Tokenizer:
    """The ``tokenizers`` object behind the fast tokenizer in a folder.

    Raises:
        ValueError: there is none.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as problem:
        raise ValueError(f"no tokenizer at {source!r}: {str(problem).splitlines()[0][:200]}") from problem
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(f"the tokenizer at {source!r} has no fast version (tokenizer.json)")
    backend: Tokenizer = tokenizer.backend_tokenizer
    return backend
