"""Rules against texts that say the same again and again, after Gopher's table A1."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slimlit.text.prepare.reading import Reading
from slimlit.text.prepare.rules import Rule

Integers = npt.NDArray[np.int64]
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class RepeatedLines(Rule):
    """At most ``most`` of the lines were there before, and at most ``most_characters`` of the lines' characters.

    Source: Rae et al. 2021 (Gopher), arXiv:2112.11446, table A1: 0.30 and 0.20.
    """

    def __init__(self, most: float = 0.3, most_characters: float = 0.2) -> None:
        self.most, self.most_characters = most, most_characters

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        return _again("lines", reading.lines, self.most, self.most_characters)


class RepeatedParagraphs(Rule):
    """The same for paragraphs, which empty lines part. Source: Rae et al. 2021 (Gopher), table A1: 0.30 and 0.20."""

    def __init__(self, most: float = 0.3, most_characters: float = 0.2) -> None:
        self.most, self.most_characters = most, most_characters

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        return _again("paragraphs", reading.paragraphs, self.most, self.most_characters)


class FrequentPhrase(Rule):
    """The most frequent phrase of 2, 3 or 4 words holds at most that share of the words' characters.

    Source: Rae et al. 2021 (Gopher), table A1: 0.20, 0.18, 0.16.
    """

    def __init__(self, most: tuple[float, float, float] = (0.20, 0.18, 0.16)) -> None:
        self.most = most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        words = reading.words
        ids, lengths = _ids(words), _lengths(words)
        total = int(lengths.sum())
        for size, most in enumerate(self.most, start=2):
            if len(words) <= size:
                return None
            _, first, times = np.unique(_phrases(ids, size), return_index=True, return_counts=True)
            place = int(np.argmax(times))
            start = int(first[place])
            held = int(times[place]) * int(lengths[start : start + size].sum())
            if times[place] > 1 and held > most * total:
                phrase = " ".join(words[start : start + size])
                return f"{phrase[:60]!r} {times[place]} times, {held / total:.1%} of the words' characters, expected at most {most:.1%}"
        return None


class RepeatedPhrases(Rule):
    """Phrases of 5 to 10 words that stand more than once hold at most that share of the words' characters.

    A character in several of them counts once.

    Source: Rae et al. 2021 (Gopher), table A1: 0.15, 0.14, 0.13, 0.12, 0.11, 0.10.
    """

    def __init__(
        self, most: tuple[float, float, float, float, float, float] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)
    ) -> None:
        self.most = most

    def reject(self, reading: Reading) -> str | None:
        """Why the document is rejected; None where it passes."""
        ids, lengths = _ids(reading.words), _lengths(reading.words)
        total = int(lengths.sum())
        for size, most in enumerate(self.most, start=5):
            if len(ids) <= size:
                return None
            phrases = _phrases(ids, size)
            order = np.argsort(phrases, kind="stable")
            twin = phrases[order][1:] == phrases[order][:-1]
            if not twin.any():
                return None  # a longer phrase that stands twice has a shorter one in it
            starts = np.unique(np.concatenate([order[1:][twin], order[:-1][twin]]))
            edges = np.zeros(len(ids) + 1, dtype=np.int64)
            np.add.at(edges, starts, 1)
            np.add.at(edges, starts + size, -1)
            held = int(lengths[np.cumsum(edges[:-1]) > 0].sum())
            if held > most * total:
                return f"{held / total:.1%} of the words' characters are in repeated phrases of {size} words, expected at most {most:.1%}"
        return None


def _again(what: str, parts: Sequence[str], most: float, most_characters: float) -> str | None:
    """Count every part but its first time."""
    again = len(parts) - len(set(parts))
    if not again:
        return None
    if again > most * len(parts):
        return f"{again} of {len(parts)} {what} were there before, expected at most {most:.0%}"
    characters = sum(map(len, parts))
    held = sum((times - 1) * len(part) for part, times in Counter(parts).items())
    if held > most_characters * characters:
        return f"{held / characters:.1%} of the characters are in {what} that were there before, expected at most {most_characters:.1%}"
    return None


def _ids(words: list[str]) -> npt.NDArray[np.uint64]:
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words), start=1)}
    return np.fromiter(map(numbers.__getitem__, words), dtype=np.uint64, count=len(words))


def _lengths(words: list[str]) -> Integers:
    return np.fromiter(map(len, words), dtype=np.int64, count=len(words))


def _phrases(ids: npt.NDArray[np.uint64], size: int) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each run of that many words."""
    hashed = np.zeros(len(ids) - size + 1, dtype=np.uint64)
    for place in range(size):
        hashed ^= hashed >> np.uint64(29)
        hashed *= _MULTIPLIER
        hashed += ids[place : len(ids) - size + 1 + place]
    return hashed
