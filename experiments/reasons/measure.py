"""What a student's reasons are worth and how alike they are to its teacher's, text by text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from slimlit.data import TextClassification
from slimlit.explain.agreement import TOP, chance_overlap, top_overlap
from slimlit.explain.exam.attributing import attribute
from slimlit.explain.exam.faithfulness import faithfulness
from slimlit.explain.exam.ranks import rank_correlation
from slimlit.explain.exam.removal import count_units, find_units, sum_by_unit
from slimlit.explain.methods import METHODS
from slimlit.explain.question import Question, removable, take
from slimlit.explain.words import find_words
from slimlit.models import Head, Pretrained, Shrunk, read
from slimlit.types import Batch

COMPARED = ("input-gradient", "leave-one-out", "pooling-share")
TESTED = "input-gradient"
SHARES = (0.1, 0.2, 0.5)
LEAST_WORDS = 3


@dataclass(frozen=True, eq=False)
class Texts:
    """The first texts of a test file, their words, and which of their tokens are words."""

    batch: Batch
    words: Tensor
    may_go: Tensor
    labels: list[str]
    counts: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        """Texts of at least three words."""
        return np.flatnonzero(self.counts >= LEAST_WORDS)


def read_texts(shared: Path, num_texts: int) -> Texts:
    """The first texts of SST-2's test file."""
    sst2 = shared / "sst2"
    data = TextClassification(
        train=str(sst2 / "train.tsv.gz"), test=str(sst2 / "test.tsv"), tokenizer="minilm", max_length=64
    )
    data.setup("test")
    split, tokenizer = data.splits["test"], data.tokenizer
    batch = split.batch(list(range(num_texts)))
    words = torch.full_like(batch["input_ids"], -1)
    for row in range(num_texts):
        encoding = tokenizer(split.texts[row], truncation=True, max_length=64).encodings[0]
        for number, word in enumerate(find_words(encoding, [split.texts[row]])):
            if not word.is_special:
                words[row, list(word.tokens)] = number
    specials = frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    may_go = removable(batch, Question(batch["labels"]), specials)
    return Texts(batch, words, may_go, data.labels, count_units(find_units(may_go, words)))


def load(source: str, texts: Texts) -> PreTrainedModel:
    """A run's student, or a folder."""
    return Pretrained(source).build(Head(texts.labels)).eval()


def untrained(teacher: str, texts: Texts) -> PreTrainedModel:
    """What every student begins as: the teacher's first three layers and its last one, fresh attention pooling between."""
    torch.manual_seed(0)
    return Shrunk(layers=[1, 2, 3], of=teacher).build(Head(texts.labels)).eval()


def maps_of(network: PreTrainedModel, texts: Texts, classes: Tensor) -> dict[str, list[np.ndarray]]:
    """For each method the numbers of every text's words, for the given answers."""
    units, found = find_units(texts.may_go, texts.words), {}
    for name in COMPARED:
        table = sum_by_unit(attribute(network, texts.batch, Question(classes), METHODS[name]), units)
        found[name] = [row[:count] for row, count in zip(table, texts.counts, strict=True)]
    return found


def answers(network: PreTrainedModel, texts: Texts) -> Tensor:
    """The class the network gives each text."""
    with torch.no_grad():
        rows = torch.arange(len(texts.counts)).split(50)
        parts = [read(network, take(texts.batch, some)).logits for some in rows]
    return torch.cat(parts).argmax(dim=-1)


def compare(
    network: PreTrainedModel, texts: Texts, classes: Tensor, theirs: dict[str, list[np.ndarray]]
) -> dict[str, Any]:
    """By text: agreement with the teacher's maps, whether the answer is the teacher's, and gains of faithfulness.

    Args:
        network: the student.
        texts: to explain.
        classes: the teacher's answers, which both explain.
        theirs: the teacher's maps.
    """
    own = answers(network, texts)
    ours = maps_of(network, texts, classes)
    found: dict[str, Any] = {"same answer": (own == classes)[texts.kept].tolist()}
    for name in COMPARED:
        pairs = [(ours[name][row], theirs[name][row]) for row in texts.kept]
        found[f"{name}: rank correlation"] = [rank_correlation(*pair) for pair in pairs]
        found[f"{name}: top {TOP}"] = [top_overlap(*pair) for pair in pairs]
    numbers = attribute(network, texts.batch, Question(own), METHODS[TESTED])
    tested = faithfulness(
        network,
        texts.batch,
        Question(own),
        {TESTED: numbers},
        texts.may_go,
        texts.words,
        shares=SHARES,
        num_random=3,
    )[TESTED]
    found["comprehensiveness"] = tested.comprehensiveness_gain()[texts.kept].tolist()
    found["sufficiency"] = tested.sufficiency_gain()[texts.kept].tolist()
    return found


def chance(texts: Texts) -> float:
    """The overlap of the strongest words of random maps."""
    return float(np.mean([chance_overlap(int(count)) for count in texts.counts[texts.kept]]))
