"""What is explained: one answer of a network an example, the inputs it was made from, and the same without some of them."""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.models import PreTrainedModel, read
from slimlit.models.network import Kind
from slimlit.types import Batch

_WORDS = ("causal_lm", "masked_lm", "seq2seq_lm")


@dataclass(frozen=True)
class Question:
    """Why does example ``b`` answer ``classes[b]``, at its place ``places[b]`` where places of a text are asked?

    A place is a token of the text; where there is a decoder, one of its inputs. It answers the class or the word that comes there,
    as :class:`~slimlit.types.Batch` has its labels. To ask an example several things, repeat its row (:func:`take`).
    """

    classes: Int[Tensor, " batch"]
    places: Int[Tensor, " batch"] | None = None
    kind: Kind = "sequence_classification"

    def __post_init__(self) -> None:
        if (self.places is None) != (self.kind == "sequence_classification"):
            raise ValueError(
                f"a question to a {self.kind} with places {self.places}; expected places but for a text's class"
            )


def answer(
    network: PreTrainedModel, batch: Batch, question: Question, rows: Int[Tensor, " questions"] | None = None
) -> Float[Tensor, "questions classes"]:
    """The logits each question is about, in float32, with gradients where gradients are on; no other place's are made.

    Args:
        network: that answers.
        batch: of texts.
        question: one a row; more where ``rows`` are given.
        rows: of the batch, which each question is of: several questions to a text are then answered in one pass.
    """
    if rows is None:
        rows = torch.arange(len(question.classes), device=batch["input_ids"].device)
    if question.kind in _WORDS:
        words = read(network, batch, frozenset({"words"})).words
        assert words is not None
        states = words.hidden[rows, cast(Tensor, question.places)]
        return torch.nn.functional.linear(states, words.weight, words.bias).float()
    logits = read(network, batch).logits.float()
    return logits[rows] if question.places is None else logits[rows, question.places]


Measure = Literal["logit", "margin", "probability"]


def score(
    logits: Float[Tensor, "batch classes"], question: Question, measure: Measure = "logit"
) -> Float[Tensor, " batch"]:
    """How much the logits say the asked class: its logit, what it is above the best other one, or its probability."""
    asked = question.classes.unsqueeze(1)
    own = logits.gather(1, asked).squeeze(1)
    if measure == "logit":
        return own
    if measure == "probability":
        return torch.softmax(logits, dim=1).gather(1, asked).squeeze(1)
    return own - logits.scatter(1, asked, float("-inf")).amax(dim=1)


def input_ids(batch: Batch) -> Int[Tensor, "batch inputs"]:
    """All that a network read: the tokens of the text and, where there is a decoder, its tokens after them."""
    return torch.cat(
        [batch["input_ids"], *([batch["decoder_input_ids"]] if "decoder_input_ids" in batch else [])], dim=1
    )


def readable(batch: Batch, question: Question) -> Bool[Tensor, "batch inputs"]:
    """The inputs that the answer could have been made from: no padding, and nothing that a decoder wrote or read later."""
    real = batch["attention_mask"].bool()
    if question.kind == "causal_lm":
        return real & _until(cast(Tensor, question.places), real)
    if "decoder_input_ids" not in batch:
        return real
    written = torch.ones_like(batch["decoder_input_ids"], dtype=torch.bool)
    if "decoder_attention_mask" in batch:
        written = batch["decoder_attention_mask"].bool()
    return torch.cat([real, written & _until(cast(Tensor, question.places), written)], dim=1)


def removable(batch: Batch, question: Question, special_ids: frozenset[int]) -> Bool[Tensor, "batch inputs"]:
    """The readable inputs that are words of the text: special tokens ([CLS], [SEP], a decoder's start) stay."""
    specials = torch.tensor(sorted(special_ids), dtype=torch.int64, device=batch["input_ids"].device)
    return readable(batch, question) & ~torch.isin(input_ids(batch), specials)


def without(batch: Batch, hidden: Bool[Tensor, "batch inputs"], blank: int | None = None) -> Batch:
    """The batch with some inputs taken away: nothing attends to them, pooling included; the others keep their positions.

    A place that is asked still knows its own input, which it does not only attend to but is made of.

    Args:
        batch: of texts.
        hidden: what is taken away.
        blank: the token read in its stead ([MASK]), so that a hidden place does not know its own input either; None
            leaves it as it is.
    """
    num_tokens = batch["input_ids"].shape[1]
    parts = {"input_ids": "attention_mask", "decoder_input_ids": "decoder_attention_mask"}
    found: dict[str, Any] = dict(batch)
    for name, gone in zip(parts, (hidden[:, :num_tokens], hidden[:, num_tokens:]), strict=True):
        if name in batch:
            ids: Tensor = batch[name]  # type: ignore[literal-required]
            found[parts[name]] = found.get(parts[name], torch.ones_like(ids)) * ~gone
            found[name] = ids if blank is None else ids.masked_fill(gone, blank)
    return cast(Batch, found)


def take(batch: Batch, rows: Int[Tensor, " rows"]) -> Batch:
    """The batch of those rows, a row as often as it is named."""
    parts: dict[str, Any] = {name: part[rows] for name, part in batch.items() if isinstance(part, Tensor)}
    return cast(Batch, parts)


def distinct(batch: Batch) -> tuple[Int[Tensor, " texts"], Int[Tensor, " batch"]]:
    """The first row of each text there is, and which of these each row has: rows of several questions have the same text."""
    names = ("input_ids", "attention_mask", "token_type_ids", "pooling_mask", "decoder_input_ids")
    given: dict[str, Any] = dict(batch)
    lines = torch.cat([given[name].long() for name in names if name in given], dim=1).cpu().numpy()
    _, first, back = np.unique(lines, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    places = np.argsort(order)[back.reshape(-1)]
    device = batch["input_ids"].device
    return torch.from_numpy(first[order]).to(device), torch.from_numpy(places).to(device)


def ask(question: Question, rows: Int[Tensor, " rows"]) -> Question:
    """The questions of those rows."""
    places = None if question.places is None else question.places[rows]
    return Question(question.classes[rows], places, question.kind)


def _until(places: Int[Tensor, " batch"], like: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch tokens"]:
    return torch.arange(like.shape[1], device=like.device) <= places.unsqueeze(1)
