"""What a student's reasons are worth and how alike they are to its teacher's, text by text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from slimlit.data import TextClassification
from slimlit.explain.agreement import TOP, by_common_word, chance_overlap, top_overlap
from slimlit.explain.exam import attribute, faithfulness, rank_correlation
from slimlit.explain.methods import METHODS
from slimlit.explain.question import Question, removable, take
from slimlit.explain.words import Word, find_words
from slimlit.models import Head, Pretrained, Shrunk, read
from slimlit.types import Batch

COMPARED = ("input-gradient", "leave-one-out", "pooling-share")
TESTED = "input-gradient"
SHARES = (0.1, 0.2, 0.5)
LEAST_WORDS = 3
Maps = dict[str, list[np.ndarray]]  # by method, for each text a number a token


@dataclass(frozen=True, eq=False)
class Texts:
    """The first texts of a test file as one tokenizer reads them: their words, and which of their tokens are of words."""

    batch: Batch
    words: list[list[Word]]
    may_go: Tensor
    labels: list[str]

    @property
    def counts(self) -> list[int]:
        """Words of each text."""
        return [sum(not word.is_special for word in words) for words in self.words]

    @property
    def kept(self) -> list[int]:
        """Texts of at least three words."""
        return [row for row, count in enumerate(self.counts) if count >= LEAST_WORDS]


def read_texts(shared: Path, num_texts: int, tokenizer: str = "minilm") -> Texts:
    """The first texts of SST-2's test file."""
    sst2 = shared / "sst2"
    data = TextClassification(
        train=str(sst2 / "train.tsv.gz"), test=str(sst2 / "test.tsv"), tokenizer=tokenizer, max_length=64
    )
    data.setup("test")
    split, reader = data.splits["test"], data.tokenizer
    batch = split.batch(list(range(num_texts)))
    words = [
        find_words(reader(text, truncation=True, max_length=64).encodings[0], [text])
        for text in split.texts[:num_texts]
    ]
    specials = frozenset(reader.all_special_ids) - {reader.unk_token_id}
    return Texts(batch, words, removable(batch, Question(batch["labels"]), specials), data.labels)


def load(source: str, texts: Texts) -> PreTrainedModel:
    """A run's student, or a folder."""
    return Pretrained(source).build(Head(texts.labels)).eval()


def untrained(teacher: str, texts: Texts) -> PreTrainedModel:
    """What every student begins as: the teacher's first three layers and its last one, fresh attention pooling between."""
    torch.manual_seed(0)
    return Shrunk(layers=[1, 2, 3], of=teacher).build(Head(texts.labels)).eval()


def maps_of(network: PreTrainedModel, texts: Texts, classes: Tensor) -> Maps:
    """For each method the numbers of every text's tokens, for the given answers."""
    question = Question(classes)
    return {name: list(attribute(network, texts.batch, question, METHODS[name]).double().numpy()) for name in COMPARED}


def answers(network: PreTrainedModel, texts: Texts) -> Tensor:
    """The class the network gives each text."""
    with torch.no_grad():
        rows = torch.arange(len(texts.words)).split(50)
        parts = [read(network, take(texts.batch, some)).logits for some in rows]
    return torch.cat(parts).argmax(dim=-1)


def compare(
    network: PreTrainedModel, texts: Texts, classes: Tensor, theirs: Maps, their_texts: Texts
) -> dict[str, list[float]]:
    """By text: agreement with the teacher's maps, whether the answer is the teacher's, and gains of faithfulness.

    Args:
        network: the student.
        texts: as it reads them.
        classes: the teacher's answers, which both explain.
        theirs: the teacher's maps.
        their_texts: the same texts as the teacher reads them.
    """
    own = answers(network, texts)
    ours = maps_of(network, texts, classes)
    kept = their_texts.kept
    found: dict[str, Any] = {"same answer": (own == classes)[kept].double().tolist()}
    for name in COMPARED:
        pairs = [
            by_common_word(ours[name][row], texts.words[row], theirs[name][row], their_texts.words[row]) for row in kept
        ]
        found[f"{name}: rank correlation"] = [rank_correlation(*pair) for pair in pairs]
        found[f"{name}: top {TOP}"] = [top_overlap(*pair) for pair in pairs]
    numbers = attribute(network, texts.batch, Question(own), METHODS[TESTED])
    given = (network, texts.batch, Question(own), {TESTED: numbers}, texts.may_go, word_numbers(texts))
    tested = faithfulness(*given, shares=SHARES)[TESTED]
    found["comprehensiveness"] = tested.comprehensiveness_gain()[kept].tolist()
    found["sufficiency"] = tested.sufficiency_gain()[kept].tolist()
    return found


def word_numbers(texts: Texts) -> Tensor:
    """The word each token belongs to, -1 on special tokens and padding."""
    numbers = torch.full_like(texts.batch["input_ids"], -1)
    for row, words in enumerate(texts.words):
        for number, word in enumerate(words):
            if not word.is_special:
                numbers[row, list(word.tokens)] = number
    return numbers


def chance(texts: Texts) -> float:
    """The overlap of the strongest words of random maps."""
    return float(np.mean([chance_overlap(texts.counts[row]) for row in texts.kept]))
