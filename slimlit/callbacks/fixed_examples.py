"""The few texts that a callback looks at again and again: the same in every run on the same data, or public ones."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import Trainer

from slimlit.explain.words import Word, find_words, words_of_tokens
from slimlit.types import Batch


@dataclass(frozen=True)
class Example:
    """A text: its row in its split, its label in words, and its own words."""

    row: int
    label: str
    words: list[Word]


@dataclass(frozen=True)
class FixedExamples:
    """Texts as a batch, where the network is, and as words; ``name`` says where they are from."""

    batch: Batch
    examples: list[Example]
    name: str

    def word_numbers(self) -> torch.Tensor:
        """The word each token belongs to, -1 on special tokens and padding."""
        numbers = torch.full_like(self.batch["input_ids"], -1)
        for row, example in enumerate(self.examples):
            for number, word in enumerate(example.words):
                if not word.is_special:
                    numbers[row, list(word.tokens)] = number
        return numbers


def find_examples(
    trainer: Trainer, count: int, split: Literal["train", "validation"], texts: Sequence[str]
) -> FixedExamples:
    """The first texts of each label in turn, ``count`` in all; or the given texts, which may be shown of a private run too."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    found = data.encode(list(texts)) if texts else data.splits[split]
    rows = list(range(len(texts))) or choose_examples(found.label_ids, count)
    batch: Batch = trainer.strategy.batch_to_device(found.batch(rows))
    examples = [_example(data, found, row, batch["input_ids"][number]) for number, row in enumerate(rows)]
    return FixedExamples(batch, examples, "public text" if texts else f"{split} example")


def choose_examples(label_ids: np.ndarray, count: int) -> list[int]:
    """The first examples of each label in turn, at most ``count``, in the order of the data."""
    taken: Counter[int] = Counter()
    turns = []
    for row, label in enumerate(label_ids.tolist()):
        turns.append((taken[label], row))
        taken[label] += 1
    return sorted(row for _, row in sorted(turns)[:count])


def _example(data: Any, split: Any, row: int, input_ids: torch.Tensor) -> Example:
    tokenizer = data.tokenizer
    label = int(split.label_ids[row])
    ids = input_ids[: int(split.lengths[row])].tolist()
    texts = [split.texts[row]] if split.pairs is None else [split.texts[row], split.pairs[row]]
    encoding = tokenizer(*texts, truncation=True, max_length=len(ids)).encodings[0]
    # a data module may have changed the text before the tokenizer saw it: then the tokens are all there is to show
    if encoding.ids == ids:
        return Example(row, data.labels[label] if label >= 0 else "unknown", find_words(encoding, texts))
    specials = set(tokenizer.all_special_tokens)
    words = [
        Word(word.text, word.tokens, is_special=word.text in specials)
        for word in words_of_tokens(tokenizer.convert_ids_to_tokens(ids))
    ]
    return Example(row, data.labels[label] if label >= 0 else "unknown", words)
