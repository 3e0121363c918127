"""``StopWords``: which words of a text say little, to be dropped from it or hidden from the attention pooling."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from slimlit.text.keep_words import KEEP

Span = tuple[int, int]
Mode = Literal["off", "mask", "drop"]
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SPACE = re.compile(r"\s+")
_BEFORE_MARK = re.compile(r"\s+(?=[,.;:!?])")


class StopWords:
    """Finds the stop words of a text by character, and drops them where asked to.

    Every published list holds words that carry meaning ("not", "never", "good", 不, 很); words of negation, quantity,
    contrast and sentiment are kept unless ``keep_meaning`` is off.

    Guarantees:
        - a text is never left empty: where every word is a stop word, it stays whole, and is counted.

    Args:
        mode: ``drop`` takes the words out of the text; ``mask`` leaves the text whole and hides them from the attention
            pooling only; ``off`` does nothing.
        language: ISO 639-1 code, for the list and for what a word is (Chinese and Japanese are segmented).
        words: ``iso`` (stopwordsiso's list), ``corpus`` (the most frequent words of the training texts), or a file with
            one word a line.
        num_corpus_words: how many words ``corpus`` takes.
        keep: words that stay in any case.
        keep_meaning: whether words of negation, quantity, contrast and sentiment stay (English and Chinese).
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
        self.mode: Mode = mode
        self.language = language
        self.words = words
        self.num_corpus_words = num_corpus_words
        self.kept = frozenset(word.casefold() for word in keep or [])
        if keep_meaning:
            self.kept |= KEEP.get(language, frozenset())
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
        if self.words == "iso":
            found = _iso_list(self.language)
        elif self.words == "corpus":
            counts = Counter(word for text in texts for word, _ in self._split(text))
            if not counts:
                raise ValueError(
                    "a stop-word list from the corpus needs texts, and there are none\nset words: iso, or a file"
                )
            found = {
                word
                for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: self.num_corpus_words]
            }
        else:
            path = Path(self.words)
            if not path.is_file():
                raise ValueError(
                    f"no stop-word list {self.words!r}\nexpected iso, corpus, or a file with one word a line"
                )
            found = {line.strip().casefold() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
        self._list = frozenset(word.casefold().replace("\u2019", "'") for word in found) - self.kept

    @property
    def stops(self) -> frozenset[str]:
        """The stop words, in lower case."""
        self.fit([])
        return self._list or frozenset()

    @property
    def fingerprint(self) -> str:
        """The hash of everything that decides which words are found."""
        content = json.dumps([self.mode, self.language, sorted(self.stops)], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def spans(self, text: str) -> list[Span]:
        """Start and end of each stop word in the text, in characters."""
        stops = self.stops
        words = self._split(text)
        found = [(word, span) for word, span in words if word in stops]
        self._num_texts += 1
        self._num_words += len(words)
        if words and len(found) == len(words):
            self._num_whole += 1
            return []
        self._found.update(word for word, _ in found)
        return [span for _, span in found]

    def drop(self, text: str) -> str:
        """The text without its stop words."""
        pieces, last = [], 0
        for start, end in self.spans(text):
            pieces.append(text[last:start])
            last = end
        rest = "".join([*pieces, text[last:]])
        return _BEFORE_MARK.sub("", _SPACE.sub(" ", rest)).strip() if pieces else text

    def report(self) -> dict[str, Any]:
        """What was found so far: counts, and the most frequent words."""
        share = sum(self._found.values()) / max(1, self._num_words)
        return {
            "mode": self.mode, "language": self.language, "list": self.words, "words in the list": len(self._list or ()),
            "texts": self._num_texts, "words": self._num_words, "stop words found": sum(self._found.values()),
            "share of words": round(share, 4), "texts of stop words only, left whole": self._num_whole,
            "most frequent": dict(self._found.most_common(20)),
        }  # fmt: skip

    def _split(self, text: str) -> list[tuple[str, Span]]:
        """The words of the text in lower case, each with its place."""
        if self.language in ("zh", "ja"):
            return _segment(text)
        plain = text.replace("\u2019", "'")
        lowered = plain.casefold()
        if len(lowered) != len(text):  # a few letters grow when folded; places must stay those of the text
            lowered = "".join(letter.casefold() if len(letter.casefold()) == 1 else letter for letter in plain)
        return [(match.group(), match.span()) for match in _WORD.finditer(lowered)]


def _iso_list(language: str) -> set[str]:
    try:
        import stopwordsiso
    except ImportError as missing:
        raise ValueError('the stop-word list iso needs a package\ntype: pip install "slimlit[stopwords]"') from missing
    if not stopwordsiso.has_lang(language):
        known = " ".join(sorted(stopwordsiso.langs()))
        raise ValueError(f"stopwordsiso has no list for language {language!r}\nit has: {known}")
    return set(stopwordsiso.stopwords(language))


def _segment(text: str) -> list[tuple[str, Span]]:
    try:
        import rjieba
    except ImportError as missing:
        raise ValueError('Chinese words are found by a package\ntype: pip install "slimlit[chinese]"') from missing
    words, at = [], 0
    for word in rjieba.cut(text):
        if any(character.isalnum() for character in word):
            words.append((word.casefold(), (at, at + len(word))))
        at += len(word)
    return words
