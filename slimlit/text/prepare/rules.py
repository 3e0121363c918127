"""Rules a document passes or is rejected by, with the reason; one class a rule, its constructor its settings."""

import string
from abc import ABC, abstractmethod

from slimlit.text.prepare.reading import Reading


class Rule(ABC):
    """What every rule is: a document's reading in; out comes why it is rejected, or nothing."""

    @abstractmethod
    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""

    @property
    def name(self) -> str:
        """What the report counts by."""
        return type(self).__name__


class NumCharacters(Rule):
    """SlimPajama's rule: at least ``least`` characters once punctuation is gone and runs of white space are one space.

    Source: Soboleva et al. 2023, SlimPajama, step 2: fewer than 200 were dropped, 1.86 % of RedPajama.
    """

    def __init__(self, least: int = 200) -> None:
        self.least = least

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        found = len(reading.normal)
        return f"{found} characters, expected {self.least}" if found < self.least else None


class NumWords(Rule):
    """Between ``least`` and ``most`` words. Source: Rae et al. 2021 (Gopher), arXiv:2112.11446, appendix A.1.1."""

    def __init__(self, least: int = 50, most: int = 100_000) -> None:
        self.least, self.most = least, most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        found = len(reading.words)
        return None if self.least <= found <= self.most else f"{found} words, expected {self.least} to {self.most}"


class MeanWordLength(Rule):
    """Words of ``least`` to ``most`` characters on average; Chinese texts, whose words are shorter, pass.

    Source: Rae et al. 2021 (Gopher), appendix A.1.1.
    """

    def __init__(self, least: float = 3.0, most: float = 10.0) -> None:
        self.least, self.most = least, most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        if reading.is_chinese or not reading.words:
            return None
        found = sum(map(len, reading.words)) / len(reading.words)
        inside = self.least <= found <= self.most
        return None if inside else f"{found:.1f} characters a word, expected {self.least:g} to {self.most:g}"


class Symbols(Rule):
    """At most ``most`` hash signs a word, and ellipses a word. Source: Rae et al. 2021 (Gopher), appendix A.1.1."""

    def __init__(self, most: float = 0.1) -> None:
        self.most = most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        allowed = self.most * len(reading.words)
        for symbol, found in (
            ("#", reading.text.count("#")),
            ("...", reading.text.count("...") + reading.text.count("…")),
        ):
            if found > allowed:
                return f"{found} of {symbol!r} in {len(reading.words)} words, expected at most {self.most:g} a word"
        return None


class BulletLines(Rule):
    """At most ``most`` of the lines begin with a bullet. Source: Rae et al. 2021 (Gopher), appendix A.1.1."""

    def __init__(self, most: float = 0.9) -> None:
        self.most = most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        found = sum(line.startswith(("•", "- ", "* ", "‣", "●", "·")) for line in reading.lines)
        return _share("lines begin with a bullet", found, len(reading.lines), self.most)


class EllipsisLines(Rule):
    """At most ``most`` of the lines end in an ellipsis. Source: Rae et al. 2021 (Gopher), appendix A.1.1."""

    def __init__(self, most: float = 0.3) -> None:
        self.most = most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        found = sum(line.endswith(("...", "…")) for line in reading.lines)
        return _share("lines end in an ellipsis", found, len(reading.lines), self.most)


class AlphabeticWords(Rule):
    """At least ``least`` of the words have a letter; punctuation that stands alone is no word.

    Source: Rae et al. 2021 (Gopher), appendix A.1.1.
    """

    def __init__(self, least: float = 0.8) -> None:
        self.least = least

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        words = [word for word in reading.words if any(map(str.isalnum, word))]
        found = sum(word.isalpha() or any(map(str.isalpha, word)) for word in words)
        if found >= self.least * len(words):
            return None
        return f"{found} of {len(words)} words have a letter, expected {self.least:.0%}"


GOPHER_WORDS = ["the", "be", "to", "of", "and", "that", "have", "with"]
CHINESE_WORDS = ["的", "了", "是", "在", "和", "不", "有", "我", "这", "也", "就", "都"]


class NumStopWords(Rule):
    """At least ``least`` different words of the list, as running text has; another list for Chinese texts.

    Source: Rae et al. 2021 (Gopher), appendix A.1.1, two of eight English words. The Chinese list is ours: frequent
    particles and pronouns, looked for as characters.
    """

    def __init__(self, least: int = 2, words: list[str] | None = None, chinese: list[str] | None = None) -> None:
        self.least = least
        self.words = frozenset(GOPHER_WORDS if words is None else map(str.lower, words))
        self.chinese = CHINESE_WORDS if chinese is None else chinese

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        if reading.is_chinese:
            found = sum(word in reading.text for word in self.chinese)
        else:
            seen = {word.strip(string.punctuation) for word in reading.text.lower().split()}
            found = len(self.words & seen)
        return f"{found} of the stop words, expected {self.least}" if found < self.least else None


def _share(what: str, found: int, of: int, most: float) -> str | None:
    return f"{found} of {of} {what}, expected at most {most:.0%}" if found > most * of else None
