"""The texts of a run's own that a network which writes knows least: the highest loss, and in them the wrong words it is surest of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from slimlit.data.batches import SortedBatches
from slimlit.explain.words import words_of_ids
from slimlit.explainer.asked import Asked, One, one_row, to_device
from slimlit.models import PreTrainedModel, read
from slimlit.models.chat_template import says
from slimlit.models.tokenizers import special_ids

NUM_WORDS = 3  # wrong words that are asked of a text


@dataclass(frozen=True)
class Known:
    """How well a network knows a text: the loss in nats a word, and where it was asked: places, what was expected, what it says, how surely."""

    row: int
    nats: float
    places: list[int]
    expected: list[int]
    said: list[int]
    sure: list[float]


def worst_texts(student: PreTrainedModel, split: Any, rows: Sequence[int], count: int) -> list[Known]:
    """So many texts of the highest loss, the highest first."""
    found = sorted(_known(student, split, rows), key=lambda one: (-one.nats, one.row))
    return found[:count]


def _known(student: PreTrainedModel, split: Any, rows: Sequence[int]) -> Iterator[Known]:
    for places in SortedBatches(split.lengths[list(rows)], 16):
        chosen = [rows[place] for place in places]
        batch = to_device(split.batch(chosen), student.device)
        with torch.inference_mode():
            words = read(student, batch, frozenset({"words"})).words
            assert words is not None
            for row, hidden, labels in zip(chosen, words.hidden, batch["labels"], strict=True):
                asked = torch.nonzero(labels >= 0).flatten()
                if len(asked):
                    logits = torch.nn.functional.linear(hidden[asked], words.weight, words.bias)
                    yield _of_text(row, logits.float(), asked, labels[asked])


def _of_text(row: int, logits: Tensor, places: Tensor, labels: Tensor) -> Known:
    told = torch.log_softmax(logits, dim=-1)
    sure, said = told.max(dim=-1)
    nats = -told.gather(1, labels.unsqueeze(1)).mean()
    return Known(row, float(nats), places.tolist(), labels.tolist(), said.tolist(), sure.exp().tolist())


def ask_worst(
    student: PreTrainedModel, data: Any, name: str, rows: Sequence[int], count: int, ahead: int
) -> list[Asked]:
    """Why a language model says other words than those of a text, at the places where it is surest of them.

    Args:
        student: it.
        data: the run's.
        name: of the split.
        rows: to choose from.
        count: texts at most.
        ahead: 1 where a place says the next word, 0 where its own.
    """
    split, found = data.splits[name], []
    spell, special = partial(says, data.tokenizer), special_ids(data.tokenizer) - {data.tokenizer.mask_token_id}
    for known in worst_texts(student, split, rows, count):
        ids = split.batch([known.row])["input_ids"][0].tolist()
        words = words_of_ids(ids, spell, special)
        at = {token: number for number, word in enumerate(words) for token in word.tokens}
        wrong = [number for number, label in enumerate(known.expected) if known.said[number] != label]
        wrong = sorted(sorted(wrong, key=lambda number: -known.sure[number])[:NUM_WORDS])
        questions = [
            One(
                known.said[number],
                spell([known.said[number]]).strip() or "\N{OPEN BOX}",
                known.places[number],
                at.get(known.places[number] + ahead, at[known.places[number]]),
                spell([known.expected[number]]).strip() or "\N{OPEN BOX}",
            )
            for number in wrong
        ]
        note = f"{known.nats:.2f} nats a word, {len(known.expected)} asked"
        found.append(Asked(f"{name} example {known.row}", one_row(ids, known.row), words, questions, note=note))
    return found
