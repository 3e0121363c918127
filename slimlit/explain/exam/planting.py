"""``Field`` and ``plant``: short texts of a network's own words, whose answer hangs on one of them, or on the order of two."""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from slimlit.explain.question import Question, ask, input_ids, readable, take
from slimlit.types import Batch

Truth = Literal["one word", "order of two words"]
NUM_WORDS = 12  # of a planted text: a tenth of them is more than one
_UNDECIDED = 0.25  # share of training texts that lack what decides


@dataclass(frozen=True)
class Field:
    """Where words are planted: real texts cut short, their special tokens and the asked place kept.

    Args:
        batch: the short texts.
        question: the place each is asked at, and nothing yet of its answer.
        removable: inputs that are words.
        fillers: the words that real texts are made of.
        deciding: two of them, in no text but where planted.
        answers: the two answers there are.
    """

    batch: Batch
    question: Question
    removable: Bool[Tensor, "batch inputs"]
    fillers: Int[Tensor, " words"]
    deciding: tuple[int, int]
    answers: tuple[int, int]


@dataclass(frozen=True)
class Planted:
    """Planted texts, the answer each is given (both, half each, where undecided), and the inputs that decide it."""

    batch: Batch
    question: Question
    removable: Bool[Tensor, "batch inputs"]
    targets: Float[Tensor, "batch two"]
    truth: Bool[Tensor, "batch inputs"]


def make_field(
    batch: Batch,
    question: Question,
    removable: Bool[Tensor, "batch inputs"],
    random: np.random.Generator,
    num_words: int = NUM_WORDS,
) -> Field:
    """Cut real texts to ``num_words`` words, spread over each, and choose the words that will decide.

    Of a decoder behind an encoder its first word is asked.

    Raises:
        ValueError: fewer than four words in every text, or too few different ones.
    """
    num_tokens = batch["input_ids"].shape[1]
    real, words = readable(batch, question)[:, :num_tokens], removable[:, :num_tokens]
    has_decoder = "decoder_input_ids" in batch
    known = torch.unique(input_ids(batch)[removable]).cpu()
    free = words & ~_asked(question, words, has_decoder)
    kept = real & ~free
    for row, line in enumerate(free.cpu().numpy()):
        places = np.flatnonzero(line)
        kept[row, places[np.linspace(0, len(places) - 1, min(num_words, len(places))).round().astype(int)]] = True
    long = torch.nonzero((kept & free).sum(1) >= 4).flatten()
    if len(long) == 0 or len(known) < 8:
        raise ValueError(
            f"{len(long)} texts of four words or more, of {len(known)} different ones; expected one of eight\n"
            "give longer texts to plant words in"
        )
    chosen = random.permutation(known.numpy())
    is_word = question.kind in ("causal_lm", "masked_lm", "seq2seq_lm")
    answers = (int(chosen[2]), int(chosen[3])) if is_word else (0, 1)
    part, asked = take(batch, long), ask(question, long)
    return Field(
        _cut(part, kept[long]),
        Question(asked.classes, _new_places(asked, kept[long], has_decoder), question.kind),
        _gather(words[long], kept[long], has_decoder),
        torch.from_numpy(chosen[2 + 2 * is_word :]),
        (int(chosen[0]), int(chosen[1])),
        answers,
    )


def plant(field: Field, truth: Truth, num_texts: int, random: np.random.Generator, decided: bool = False) -> Planted:
    """Texts of random words, some with what decides; a quarter without, whose answer is either, half and half.

    So neither answer is what the network says by default: what decides has to be read for both.

    Args:
        field: where to plant.
        truth: ``one word``: it is there, and which it is says the answer. ``order of two words``: both are there, and
            which is first says it; where but one is, nothing does.
        num_texts: how many.
        random: what is drawn with.
        decided: whether all of them are.
    """
    rows = torch.from_numpy(random.integers(0, len(field.removable), num_texts))
    batch, asked = take(field.batch, rows), ask(field.question, rows)
    removable = field.removable[rows]
    text = batch["input_ids"].clone()
    num_tokens = text.shape[1]
    drawn = field.fillers.numpy()[random.integers(0, len(field.fillers), text.shape)]
    words = removable[:, :num_tokens]
    text = torch.where(words, torch.from_numpy(drawn).to(text), text)
    free = words & ~_asked(asked, words, "decoder_input_ids" in batch)
    found = torch.zeros_like(removable)
    targets = torch.full((num_texts, 2), 0.5)
    for row in range(num_texts):
        places = np.sort(random.permutation(torch.nonzero(free[row]).flatten().cpu().numpy())[:2]).tolist()
        side = int(random.integers(2))
        is_decided = decided or random.random() >= _UNDECIDED
        own, other = field.deciding[side], field.deciding[1 - side]
        if truth == "one word":
            places = places[int(random.integers(2)) :][:1]
            planted = [own] if is_decided else []
        else:
            planted = [own, other] if is_decided else [own]
            if not is_decided:
                places = places[int(random.integers(2)) :]
        for place, word in zip(places, planted, strict=False):
            text[row, place] = word
            found[row, place] = is_decided
        if is_decided:
            targets[row] = torch.eye(2)[side]
    answers = torch.tensor(field.answers)[targets.argmax(dim=1)]
    parts: dict[str, Any] = {**batch, "input_ids": text, "example_id": torch.arange(num_texts)}
    device = text.device
    said = Question(answers.to(device), asked.places, asked.kind)
    return Planted(cast(Batch, parts), said, removable, targets.to(device), found)


def _asked(question: Question, like: Bool[Tensor, "batch tokens"], has_decoder: bool) -> Bool[Tensor, "batch tokens"]:
    """The places of the text that are asked: they tell their own word, and nothing is planted there."""
    found = torch.zeros_like(like)
    if question.places is not None and not has_decoder:
        found[torch.arange(len(like), device=like.device), question.places] = True
    return found


def _cut(batch: Batch, kept: Bool[Tensor, "batch tokens"]) -> Batch:
    """The kept tokens of each text, moved together; of a decoder its first input."""
    parts: dict[str, Any] = {
        name: _gather(batch[name], kept) for name in ("input_ids", "token_type_ids") if name in batch
    }
    parts["attention_mask"] = _gather(torch.ones_like(batch["input_ids"]), kept)
    parts["labels"] = torch.zeros(len(kept), dtype=torch.int64, device=kept.device)
    parts["example_id"] = batch["example_id"]
    if "decoder_input_ids" in batch:
        parts["decoder_input_ids"] = batch["decoder_input_ids"][:, :1]
        parts["decoder_attention_mask"] = torch.ones_like(parts["decoder_input_ids"])
    return cast(Batch, parts)


def _gather(values: Tensor, kept: Bool[Tensor, "batch tokens"], has_decoder: bool = False) -> Tensor:
    rows = [line[keep] for line, keep in zip(values, kept, strict=True)]
    found: Tensor = pad_sequence(rows, batch_first=True)
    if has_decoder:  # its one input is no word
        found = torch.cat([found, torch.zeros_like(found[:, :1])], dim=1)
    return found


def _new_places(question: Question, kept: Bool[Tensor, "batch tokens"], has_decoder: bool) -> Tensor | None:
    if question.places is None:
        return None
    if has_decoder:
        return torch.zeros_like(question.places)
    before = kept.long().cumsum(dim=1).gather(1, question.places.unsqueeze(1)).squeeze(1)
    return before - 1
