"""Public text of the same kind as the private: film sentences, news, Chinese reviews; each a TSV of texts and labels."""

import csv
import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from slimlit.text.downloads.bundles import find

Rows = list[tuple[str, str]]


def films() -> Iterator[tuple[str, str]]:
    """Two sentences of each IMDb review, in lower case as SST-2's are; the label is the review's."""
    with find("imdb").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            fit = [one for one in sentences(row["text"]) if 5 <= len(one.split()) <= 40]
            for sentence in random.sample(fit, min(2, len(fit))):
                yield sentence.lower(), str(int(row["label"] == "positive"))


def news(shared: Path) -> Iterator[tuple[str, str]]:
    """Pairs of sentences of BBC articles; the labels mean nothing."""
    with gzip.open(shared / "xsum_1k" / "all.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            found = sentences(json.loads(line)["document"].replace("\n", " "))
            for at in range(0, len(found) - 1, 2):
                yield " ".join(found[at : at + 2]), str(at // 2 % 4)


def chinese_reviews(shared: Path) -> Iterator[tuple[str, str]]:
    """Sentences of reviews of hotels, doctors, products and teachers, translated by machine; negative or positive."""
    with gzip.open(shared / "multiemo_en_zh" / "train.tsv.gz", "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["label"] in ("positive", "negative"):
                yield row["zh"], str(int(row["label"] == "positive"))


def sentences(text: str) -> list[str]:
    """A text cut after full stops, question and exclamation marks."""
    return re.split(r"(?<=[.!?])\s+", text)


def save(file: Path, made: Iterator[tuple[str, str]], most: int = 16_000) -> None:
    """Write texts and labels as TSV, shuffled, at most so many."""
    random.seed(0)
    rows = list(made)
    random.shuffle(rows)
    lines = ["text\tlabel", *(" ".join(text.split()) + f"\t{label}" for text, label in rows[:most])]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write(folder: Path, shared: Path) -> None:
    """Write the three files into a folder, those that are not there."""
    for name, make in {
        "films": films,
        "news": lambda: news(shared),
        "reviews": lambda: chinese_reviews(shared),
    }.items():
        if not (folder / f"{name}.tsv").exists():
            save(folder / f"{name}.tsv", make())
