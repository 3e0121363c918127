"""Toy reviews with a planted answer: one word decides the label, so accuracy 1.0 is reachable and reasons can be checked."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Language = Literal["en", "zh"]

_DECIDING = {
    "en": {
        "negative": ["dull", "clumsy", "hollow", "tedious"],
        "positive": ["joyful", "graceful", "moving", "brilliant"],
    },
    "zh": {"negative": ["糟糕", "失望", "无聊"], "positive": ["精彩", "喜欢", "感人"]},
}
_FILLER = {
    "en": [
        "the",
        "a",
        "film",
        "story",
        "actor",
        "scene",
        "music",
        "and",
        "with",
        "of",
        "in",
        "it",
        "this",
        "was",
        "feels",
        "quite",
        "rather",
        "very",
        "director",
        "script",
        "camera",
        "long",
        "short",
        "evening",
        "city",
        "house",
        "child",
        "mother",
        "again",
        "first",
        "last",
        "not",
        "only",
        "because",
        "while",
        "about",
    ],
    "zh": ["电影", "故事", "演员", "这", "部", "的", "是", "我", "们", "在", "看", "音乐", "和", "导演", "很", "城市"],
}


@dataclass(frozen=True)
class ToyReview:
    """A text, its label, and the number of the word that decides it (words are split at spaces; Chinese has none)."""

    text: str
    label: str
    words: list[str]
    deciding: int


def toy_words(language: Language = "en") -> list[str]:
    """Every word a toy review may hold."""
    return [*_FILLER[language], *(word for words in _DECIDING[language].values() for word in words)]


def toy_reviews(num_examples: int, seed: int = 0, language: Language = "en") -> list[ToyReview]:
    """Balanced reviews of 5 to 14 words, each with one deciding word at a random place."""
    random = np.random.default_rng(seed)
    reviews = []
    for number in range(num_examples):
        label = ("negative", "positive")[number % 2]
        words = [str(word) for word in random.choice(_FILLER[language], size=random.integers(4, 14))]
        deciding = int(random.integers(0, len(words) + 1))
        words.insert(deciding, str(random.choice(_DECIDING[language][label])))
        reviews.append(ToyReview(("" if language == "zh" else " ").join(words), label, words, deciding))
    return reviews


def toy_pairs(num_examples: int, seed: int = 0, language: Language = "en") -> list[tuple[ToyReview, ToyReview, str]]:
    """Balanced pairs of reviews: ``same`` where the deciding words are of one opinion, else ``different``."""
    reviews = toy_reviews(4 * num_examples, seed, language)
    opinions = [iter(reviews[0::2]), iter(reviews[1::2])]
    sides = [(number % 2, number // 2 % 2) for number in range(num_examples)]
    return [(next(opinions[a]), next(opinions[b]), "same" if a == b else "different") for a, b in sides]


def write_toy_files(folder: Path, num_train: int = 320, num_other: int = 64, language: Language = "en") -> None:
    """Write ``train.csv``, ``validation.csv`` and ``test.csv`` with columns text and label."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate({"train": num_train, "validation": num_other, "test": num_other}.items()):
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("text", "label"))
            writer.writerows((review.text, review.label) for review in toy_reviews(count, seed, language))


_TRANSLATED = {
    "the": "der", "dog": "hund", "cat": "kater", "man": "mann", "small": "kleine", "old": "alte", "black": "schwarze",
    "sees": "sieht", "hears": "hoert", "follows": "verfolgt", "today": "heute", "again": "wieder",
}  # fmt: skip


def toy_dictionary() -> dict[str, str]:
    """Every word of the toy translations, and the one word it becomes."""
    return dict(_TRANSLATED)


def toy_translations(num_examples: int, seed: int = 0) -> list[tuple[str, str]]:
    """Sentences of 3 to 7 words and their translations, word for word: a BLEU of 100 is reachable."""
    random = np.random.default_rng(seed)
    words = list(_TRANSLATED)
    chosen = [random.choice(words, size=random.integers(3, 8)) for _ in range(num_examples)]
    return [(" ".join(one), " ".join(_TRANSLATED[str(word)] for word in one)) for one in chosen]


def write_toy_translations(folder: Path, num_train: int = 640, num_other: int = 48) -> None:
    """Write ``train.tsv``, ``validation.tsv`` and ``test.tsv`` with columns source and target."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate({"train": num_train, "validation": num_other, "test": num_other}.items()):
        rows = [("source", "target"), *toy_translations(count, seed)]
        text = "".join("\t".join(row) + "\n" for row in rows)
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")
