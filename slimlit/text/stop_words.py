"""``StopWords``: which words of a text say little, to be dropped from it or hidden from the attention pooling."""

import difflib
import hashlib
import json
import re
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from slimlit.text.keep_words import KEEP
from slimlit.text.segmentation import UNSPACED, fold, rule, split

Span = tuple[int, int]
Mode = Literal["off", "mask", "drop"]
_SPACE = re.compile(r"\s+")
_BEFORE_MARK = re.compile(r"\s+(?=[,.;:!?])")


class StopWords:
    """Finds the stop words of a text by character, and drops them where asked to.

    Every published list holds words that carry meaning ("not", "never", "good", 不, 很); words of negation, quantity,
    contrast and sentiment are kept unless ``keep_meaning`` is off.

    Guarantees:
        - a text is never left empty: where every word is a stop word, it stays whole, and is counted.
        - only stop words go from a text, and white space; nothing else of it changes.

    Args:
        mode: ``drop`` takes the words out of the text; ``mask`` leaves the text whole and hides them from the attention
            pooling only; ``off`` does nothing.
        language: ISO 639-1 code, for the list and for what a word is (Chinese is segmented).
        words: ``iso`` (stopwordsiso's list), ``corpus`` (the most frequent words of the training texts), or a file with
            one word a line.
        num_corpus_words: how many words ``corpus`` takes.
        keep: words that stay in any case.
        keep_meaning: whether words of negation, quantity, contrast and sentiment stay (English and Chinese).

    Raises:
        ValueError: a language whose words cannot be found, or a number below 1.
    """

    def __init__(
        self,
        mode: Mode = "mask",
        language: str = "en",
        words: str = "iso",
        num_corpus_words: int = 100,
        keep: list[str] | None = None,
        keep_meaning: bool = True,
    ) -> None:
        if language in UNSPACED and mode != "off":
            raise ValueError(f"words of {language!r} are not found here\nexpected a language with spaces, or zh")
        if num_corpus_words < 1:
            raise ValueError(f"num_corpus_words is {num_corpus_words}; expected 1 or more")
        self.mode: Mode = mode
        self.language = language
        self.words = words
        self.num_corpus_words = num_corpus_words
        self.kept = frozenset(map(_normal, keep or []))
        if keep_meaning:
            self.kept |= KEEP.get(language, frozenset())
        self.lacks_keep_words = keep_meaning and not self.kept
        self._list: frozenset[str] | None = None
        self._found: Counter[str] = Counter()
        self._num_words = self._num_texts = self._num_whole = 0

    def fit(self, texts: Iterable[str]) -> None:
        """Make the list; only ``corpus`` looks at the texts. A second call changes nothing.

        Raises:
            ValueError: no list for the language, no such file, a missing package, or no texts to count.
        """
        if self._list is not None or self.mode == "off":
            return
        if self.lacks_keep_words:
            warnings.warn(
                f"no keep-list for {self.language!r}: its negations count as stop words; name them: keep: [WORD, ...]",
                stacklevel=2,
            )
        rule(self.language)  # a missing package is told now
        found: Iterable[str]
        if self.words == "iso":
            found = _iso_list(self.language)
        elif self.words == "corpus":
            found = self._most_frequent(texts)
        else:
            found = _file_list(self.words)
        # Some lists hold marks too; those are no words and stay.
        self._list = frozenset(word for word in map(_normal, found) if word[:1].isalnum()) - self.kept

    @property
    def stops(self) -> frozenset[str]:
        """The stop words, in lower case."""
        self.fit([])
        return self._list or frozenset()

    @property
    def fingerprint(self) -> str:
        """The hash of everything that decides which words are found."""
        how = None if self.mode == "off" else rule(self.language)
        content = json.dumps([self.mode, self.language, how, sorted(self.stops)], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def spans(self, text: str) -> list[Span]:
        """Start and end of each stop word in the text, in characters; none where nothing else would be left."""
        stops = self.stops
        if not stops:
            return []
        pieces, words = split(fold(text), self.language)
        self._num_texts += 1
        self._num_words += len(words)
        found = [word for word in words if word in stops]
        if not found:
            return []
        if len(found) == len(words):
            self._num_whole += 1
            return []
        self._found.update(found)
        ends = accumulate(map(len, pieces))
        return [(end - len(piece), end) for piece, end in zip(pieces, ends, strict=True) if piece in stops]

    def drop(self, text: str) -> str:
        """The text without its stop words."""
        spans = self.spans(text)
        if not spans:
            return text
        pieces, last = [], 0
        for start, end in spans:
            pieces.append(text[last:start])
            last = end
        rest = "".join([*pieces, text[last:]])
        return _BEFORE_MARK.sub("", _SPACE.sub(" ", rest)).strip()

    def report(self) -> dict[str, Any]:
        """What was found since the last report: counts, and the most frequent words."""
        share = sum(self._found.values()) / max(1, self._num_words)
        report = {
            "mode": self.mode, "language": self.language, "list": self.words, "words in the list": len(self._list or ()),
            "texts": self._num_texts, "words": self._num_words, "stop words found": sum(self._found.values()),
            "share of words": round(share, 4), "texts of stop words only, left whole": self._num_whole,
            "most frequent": dict(self._found.most_common(20)),
        }  # fmt: skip
        self._found.clear()
        self._num_words = self._num_texts = self._num_whole = 0
        return report

    def _most_frequent(self, texts: Iterable[str]) -> list[str]:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(split(fold(text), self.language)[1])
        if not counts:
            raise ValueError("stop words from the corpus need texts, and there are none\nset words: iso, or a file")
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))  # the same list on every machine
        return [word for word, _ in ranked[: self.num_corpus_words]]


def _normal(word: str) -> str:
    return fold(unicodedata.normalize("NFC", word.strip()))


def _iso_list(language: str) -> set[str]:
    try:
        import stopwordsiso
    except ImportError as missing:
        raise ValueError(
            f'the stop-word list iso is a package that is missing\ntype: {sys.executable} -m pip install "slimlit[stopwords]"'
        ) from missing
    if not stopwordsiso.has_lang(language):
        known = sorted(stopwordsiso.langs())
        near = difflib.get_close_matches(language.lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"stopwordsiso has no list for language {language!r}\n{hint}it has: {' '.join(known)}")
    return set(stopwordsiso.stopwords(language))


def _file_list(name: str) -> list[str]:
    path = Path(name).expanduser()
    if not path.is_file():
        near = difflib.get_close_matches(name, ["iso", "corpus", *(file.name for file in path.parent.glob("*"))], n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"no stop-word list {name!r}\n{hint}expected iso, corpus, or a file with one word a line")
    try:
        words = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as problem:
        raise ValueError(f"the stop-word list {name} is no UTF-8 text: {problem.reason}\nsave it as UTF-8") from problem
    found = [word for word in words if word.strip()]
    if not found:
        raise ValueError(f"the stop-word list {name} has no words\nexpected one word a line")
    return found
