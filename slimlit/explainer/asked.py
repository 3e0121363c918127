"""What is asked of each example: its row of a batch, its words, and one or several questions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.explain.question import Question, input_ids
from slimlit.explain.records import Specials
from slimlit.explain.words import Word
from slimlit.models.network import Kind
from slimlit.types import Batch


@dataclass(frozen=True)
class Wanted:
    """What the command line wants explained.

    Args:
        text: one text.
        pair: its second text, where examples are pairs.
        file: texts, as ``predict`` reads them.
        split: texts of the run's own: ``validation``, ``test``, or ``train``.
        errors: of a split, those whose wrong answer the student is surest of.
        word: where words of a text are asked, ask this one alone.
        num_examples: texts at most.
    """

    text: str | None = None
    pair: str | None = None
    file: str | None = None
    split: str | None = None
    errors: bool = False
    word: str | None = None
    num_examples: int = 20


@dataclass(frozen=True)
class One:
    """One question: why this class, at this place; what that is in words, and what was expected."""

    number: int
    says: str
    place: int | None = None
    word: int | None = None
    expected: str | None = None


@dataclass(frozen=True)
class Asked:
    """An example and what is asked of it; ``batch`` is its one row, without padding.

    ``theirs`` is the same in a teacher's own tokens, its words those of the student, some perhaps without a token.
    """

    name: str
    batch: Batch
    words: list[Word]
    questions: list[One]
    hidden: list[int] = field(default_factory=list)
    sides: list[tuple[str, int]] = field(default_factory=list)
    note: str = ""
    theirs: "Asked | None" = None

    @property
    def lengths(self) -> tuple[int, int]:
        """Inputs of the text, and of the decoder after them."""
        decoder = self.batch.get("decoder_input_ids")
        return self.batch["input_ids"].shape[1], 0 if decoder is None else decoder.shape[1]


@dataclass(frozen=True)
class Chunk:
    """Some questions as one batch: ``where`` says of each row its example and its question."""

    batch: Batch
    question: Question
    where: list[tuple[int, int]]


def chunks(examples: Sequence[Asked], kind: Kind, pad: int, num_tokens: int | None = 1024) -> Iterator[Chunk]:
    """All questions in batches of like length, of ``num_tokens`` inputs at most but for a row longer than that; None: in one."""
    lines = [(example, number) for example, asked in enumerate(examples) for number in range(len(asked.questions))]
    lines.sort(key=lambda line: sum(examples[line[0]].lengths))
    start = 0
    while start < len(lines):
        end = start + 1
        while end < len(lines):
            if num_tokens is not None and (end + 1 - start) * sum(examples[lines[end][0]].lengths) > num_tokens:
                break
            end += 1
        where = lines[start:end]
        asked = [examples[example].questions[number] for example, number in where]
        places = None
        if kind != "sequence_classification":
            places = torch.tensor([one.place for one in asked])
        question = Question(torch.tensor([one.number for one in asked]), places, kind)
        yield Chunk(stack([examples[example].batch for example, _ in where], pad), question, where)
        start = end


def stack(rows: Sequence[Batch], pad: int) -> Batch:
    """Rows as one batch, padded on the right."""
    parts: dict[str, torch.Tensor] = {}
    for name in rows[0]:
        each = [cast(dict[str, Any], row)[name] for row in rows]
        fill = {"input_ids": pad, "decoder_input_ids": pad, "labels": -100, "word_ids": -1}.get(name, 0)
        if each[0].dim() == 1:
            parts[name] = torch.cat(each)
            continue
        longest = max(part.shape[1] for part in each)
        parts[name] = torch.cat(
            [torch.nn.functional.pad(part, (0, longest - part.shape[1]), value=fill) for part in each]
        )
    return cast(Batch, parts)


def on_device(chunk: Chunk, device: torch.device) -> Chunk:
    """The questions on a device."""
    places = None if chunk.question.places is None else chunk.question.places.to(device)
    question = replace(chunk.question, classes=chunk.question.classes.to(device), places=places)
    return Chunk(to_device(chunk.batch, device), question, chunk.where)


def units_of(asked: Sequence[Asked], batch: Batch) -> Int[Tensor, "batch inputs"]:
    """The word each input of a batch belongs to; -1 where to none."""
    num_tokens, num_inputs = batch["input_ids"].shape[1], input_ids(batch).shape[1]
    found = torch.full((len(asked), num_inputs), -1)
    for row, example in enumerate(asked):
        num_read = example.lengths[0]
        for number, word in enumerate(example.words):
            for token in word.tokens:
                found[row, token if token < num_read else num_tokens + token - num_read] = number
    return found


def own_inputs(heat: Float[Tensor, " inputs"], example: Asked, num_tokens: int) -> npt.NDArray[np.float64]:
    """The numbers of an example's inputs; the decoder's stand behind the padding of the text, ``num_tokens`` long."""
    num_read, num_written = example.lengths
    found = torch.cat([heat[:num_read], heat[num_tokens : num_tokens + num_written]])
    return found.detach().double().cpu().numpy()


def by_word(own: npt.NDArray[np.float64], words: Sequence[Word]) -> npt.NDArray[np.float64]:
    """The sums over the tokens of each word."""
    return np.asarray([own[list(word.tokens)].sum() for word in words])


def of_specials(own: npt.NDArray[np.float64], words: Sequence[Word]) -> Specials:
    """What is left for tokens that are of no word of the text."""
    of_words = [token for word in words if not word.is_special for token in word.tokens]
    whole = float(np.abs(own).sum())
    share = 1.0 - float(np.abs(own[of_words]).sum()) / whole if whole else 0.0
    return Specials(float(np.delete(own, of_words).sum()), max(0.0, share))


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    return cast(Batch, {name: part.to(device) for name, part in batch.items() if isinstance(part, torch.Tensor)})


def one_row(ids: Sequence[int], row: int, decoder: Sequence[int] | None = None) -> Batch:
    """A text of those tokens, and what a decoder read of it."""
    tokens = torch.tensor([list(ids)])
    batch = Batch(
        input_ids=tokens,
        attention_mask=torch.ones_like(tokens),
        labels=torch.full_like(tokens, -100),
        example_id=torch.tensor([row]),
    )
    if decoder is not None:
        batch["decoder_input_ids"] = torch.tensor([list(decoder)])
        batch["decoder_attention_mask"] = torch.ones_like(batch["decoder_input_ids"])
        batch["labels"] = torch.full_like(batch["decoder_input_ids"], -100)
    return batch


def row_of(split: Any, row: int) -> Batch:
    """One row of a split, without what a teacher with a tokenizer of its own would read."""
    batch = split.batch([row])
    return cast(Batch, {name: part for name, part in batch.items() if not name.startswith("teacher_")})
