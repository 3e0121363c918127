"""Toy sentences with planted entities, found by their words, so that an F1 of 1.0 is reachable."""

import json
from pathlib import Path

import numpy as np

from slimlit.data.toy import Language

_ENTITIES = {  # each word has one tag only; toy models know these words, or (of zoltan and quixby) their letters
    "en": {
        "PERSON": [["director"], ["mother"], ["zoltan"], ["first", "child"]],
        "PLACE": [["city"], ["house"], ["quixby"], ["long", "evening"]],
    },
    "zh": {"PERSON": [["导", "演"], ["员"]], "PLACE": [["城", "市"]]},
}
_FILLER = {
    "en": [
        "the",
        "a",
        "film",
        "story",
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
        "not",
    ],
    "zh": ["这", "部", "的", "是", "我", "们", "在", "看", "和", "很"],
}
Sentence = tuple[list[str], list[str]]


def toy_sentences(num_examples: int, seed: int = 0, language: Language = "en") -> list[Sentence]:
    """Words and BIO tags of sentences of 4 to 9 filler words (Chinese: characters) and none to two entities, apart from each other."""
    random = np.random.default_rng(seed)
    sentences = []
    for number in range(num_examples):
        words = [str(word) for word in random.choice(_FILLER[language], size=random.integers(4, 10))]
        tags = ["O"] * len(words)
        for place in sorted(random.choice(len(words), size=number % 3, replace=False).tolist(), reverse=True):
            kind = str(random.choice(sorted(_ENTITIES[language])))
            entity = _ENTITIES[language][kind][int(random.integers(len(_ENTITIES[language][kind])))]
            words[place:place] = entity
            tags[place:place] = [f"B-{kind}", *[f"I-{kind}"] * (len(entity) - 1)]
        sentences.append((words, tags))
    return sentences


def write_toy_sentences(folder: Path, num_train: int = 320, num_other: int = 64, language: Language = "en") -> None:
    """Write ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl`` with lists ``tokens`` and ``ner``."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate({"train": num_train, "validation": num_other, "test": num_other}.items()):
        sentences = toy_sentences(count, seed, language)
        lines = [json.dumps({"tokens": words, "ner": tags}, ensure_ascii=False) for words, tags in sentences]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
