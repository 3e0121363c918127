"""``Stretches``: encodes each stretch of text between spaces once with the Hugging Face tokenizer, and remembers its ids."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from slimlit.text.tokens.byte_pairs import Ids, Lengths, UnfitError

CAPACITY = 2**19  # stretches remembered at once; some 100 MB
_SPACE = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_LOCAL = {"NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "BertNormalizer"}
_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff"


class Stretches:
    """Encodes by looking up.

    A text may be cut before a run of spaces that follows a word where no rule of the tokenizer looks across: its
    normalizer changes characters one by one (a space combines with nothing before it), and its words never hold a letter
    and then a space. What stands between two cuts is then encoded alike wherever it stands. Where the tokenizer drops
    spaces, it is cut at each; where it puts spaces around Chinese characters, around those too.

    Args:
        tokenizer: asked for what is new.

    Raises:
        UnfitError: its rules are not of this kind.
    """

    name = "stretches"

    def __init__(self, tokenizer: Tokenizer, settings: dict[str, Any]) -> None:
        self.tokenizer = tokenizer
        normalizer, words = settings["normalizer"], settings["pre_tokenizer"] or {}
        if settings["model"].get("dropout") or not _is_local(normalizer):
            raise UnfitError("its normalizer looks across spaces, or it draws at random")
        if normalizer is not None and any(token["normalized"] for token in settings["added_tokens"]):
            raise UnfitError("its added tokens are searched for in changed texts")
        self._drops_spaces = words.get("type") in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit")
        spaces = _SPACE
        if not self._drops_spaces:
            spaces = _kept_spaces(words)
        is_chinese_apart = (
            words.get("type") == "BertPreTokenizer"
            and (normalizer or {}).get("type") == "BertNormalizer"
            and normalizer["handle_chinese_chars"]
        )
        self._chinese = re.compile(f"[{_CHINESE}]") if is_chinese_apart else None
        self._apart = re.compile(f"[{_CHINESE}]|[^ {_CHINESE}]+")
        self._irregular = re.compile(f"[{_SPACE.replace(' ', '')}]|  |^ | $")
        self._cut = re.compile(f"[{spaces}]*[^{spaces}]+|[{spaces}]+")
        self._num_seen = self._num_asked = 0
        self._forget()

    @property
    def is_worthwhile(self) -> bool:
        """Whether stretches come again; where they seldom do (Chinese in pieces of words) remembering costs more than it saves."""
        return self._num_seen < 10_000 or self._num_asked < 0.5 * self._num_seen

    def can(self, text: str) -> bool:
        """Any text."""
        return True

    def encode(self, texts: Sequence[str]) -> tuple[Ids, Lengths]:
        """All ids end to end, and how many each text has."""
        if self._num_known > CAPACITY:
            self._forget()
        numbers: list[int] = []
        ends = []
        for text in texts:
            if self._drops_spaces:
                is_apart = self._chinese is not None and not text.isascii() and self._chinese.search(text) is not None
                numbers += map(self._first.__getitem__, self._apart.findall(text) if is_apart else text.split(" "))
            elif text and self._irregular.search(text) is None:
                first, *later = text.split(" ")
                numbers.append(self._first[first])
                numbers += map(self._later.__getitem__, later)
            else:
                numbers += map(self._first.__getitem__, self._cut.findall(text))
            ends.append(len(numbers))
        self._num_seen += len(numbers)
        self._num_asked += len(self._new)
        self._learn()
        places = np.asarray(numbers, dtype=np.int64)
        lengths = self._lengths[places]
        before = np.concatenate([[0], np.cumsum(lengths)])
        ids = self._ids[np.repeat(self._starts[places] - before[:-1], lengths) + np.arange(before[-1])]
        whole: Lengths = np.diff(before[np.asarray([0, *ends])])
        return ids, whole

    def _forget(self) -> None:
        self._new: list[str] = []
        self._num_known = 0
        self._first, self._later = _Numbers(self, ""), _Numbers(self, " ")
        self._ids: Ids = np.zeros(0, np.uint32)
        self._lengths: Lengths = np.zeros(0, np.int64)
        self._starts: Lengths = np.zeros(0, np.int64)

    def number(self, stretch: str) -> int:
        """The number of a stretch that has none yet; its ids are asked for with those of all others of a batch."""
        self._new.append(stretch)
        self._num_known += 1
        return self._num_known - 1

    def _learn(self) -> None:
        if not self._new:
            return
        found = [one.ids for one in self.tokenizer.encode_batch(self._new, add_special_tokens=False)]
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        ids = np.fromiter((one for ids in found for one in ids), np.uint32, int(lengths.sum()))
        self._ids = np.concatenate([self._ids, ids])
        self._lengths = np.concatenate([self._lengths, lengths])
        self._starts = np.cumsum(self._lengths) - self._lengths
        self._new = []


class _Numbers(dict[str, int]):
    """The number of each stretch, given when first asked for."""

    def __init__(self, stretches: Stretches, before: str) -> None:
        super().__init__()
        self.stretches = stretches
        self.before = before

    def __missing__(self, stretch: str) -> int:
        number = self[stretch] = self.stretches.number(self.before + stretch)
        return number


def _is_local(normalizer: dict[str, Any] | None) -> bool:
    if normalizer is None:
        return True
    if normalizer["type"] == "Sequence":
        return all(map(_is_local, normalizer["normalizers"]))
    return normalizer["type"] in _LOCAL


def _kept_spaces(words: dict[str, Any]) -> str:
    """The characters before which a text may be cut where spaces are kept."""
    parts = words["pretokenizers"] if words.get("type") == "Sequence" else [words]
    last = parts[-1]
    if [part["type"] for part in parts[:-1]] not in ([], ["Digits"]):
        raise UnfitError("it finds words by rules that are not known here")
    if last.get("type") == "Metaspace" and last["split"] and len(parts) == 1:
        return " "
    if last.get("type") == "ByteLevel" and last["use_regex"] and not last["add_prefix_space"]:
        return _SPACE
    raise UnfitError("it finds words by rules that are not known here")
