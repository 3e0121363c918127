"""The same few questions to a student again and again: why these texts have their classes, or these entities their tags."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from lightning.pytorch import Trainer
from torch import Tensor

from slimlit.callbacks.fixed_examples import choose_examples, find_examples
from slimlit.explain.methods.reading import undisturbed
from slimlit.explain.question import Question, answer, take
from slimlit.models import PreTrainedModel
from slimlit.models.network import Kind
from slimlit.types import Batch

ANSWERED: tuple[Kind, ...] = ("sequence_classification", "token_classification")


@dataclass(frozen=True)
class AskedTexts:
    """Texts as a batch, the word each token belongs to, and what is asked of each: its class, or the tag at its place.

    Args:
        batch: where the network is.
        words: the word each token belongs to, -1 on special tokens and padding.
        places: of a tagger, the first token of the first entity of each sentence.
        kind: of the answers.
        blank: what a tagger reads in the stead of a word taken away.
        name: how many texts, and of what.
    """

    batch: Batch
    words: Int[Tensor, "batch tokens"]
    places: Int[Tensor, " batch"] | None
    kind: Kind
    blank: int | None
    name: str

    def why(self, classes: Int[Tensor, " batch"]) -> Question:
        """The question why each text has that class."""
        return Question(classes, self.places, self.kind)

    def answers(self, network: PreTrainedModel) -> Question:
        """The question why each text has the class that the network gives it."""
        with undisturbed(network, gradients=False):
            said = answer(network, self.batch, self.why(torch.zeros_like(self.batch["example_id"])))
        return self.why(said.argmax(dim=-1))


def ask_texts(trainer: Trainer, count: int, texts: list[str]) -> AskedTexts:
    """The first validation texts of each class in turn, or those that are given, and why each has its class."""
    found = find_examples(trainer, count, "validation", texts)
    name = f"{len(found.examples)} {found.name}s"
    return AskedTexts(found.batch, found.word_numbers(), None, "sequence_classification", None, name)


def ask_entities(trainer: Trainer, count: int) -> AskedTexts:
    """The first validation sentences of each kind of first entity in turn, and why that has its tag.

    Raises:
        ValueError: there is no entity.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    split = data.splits["validation"]
    with_entity = np.flatnonzero(split.label_ids > 0)
    rows = [int(with_entity[row]) for row in choose_examples(split.label_ids[with_entity], count)]
    if not rows:
        raise ValueError(
            "Explanations found no entity in the validation sentences\ngive others: data.init_args.validation"
        )
    batch: Batch = trainer.strategy.batch_to_device(split.batch(rows))
    is_entity = batch["labels"] > 0  # class 0 is O
    kept = torch.nonzero(is_entity.any(dim=1)).flatten()  # of some sentences the entity was cut off
    batch = take(batch, kept)
    places = is_entity[kept].int().argmax(dim=1)
    blank = data.tokenizer.mask_token_id
    return AskedTexts(
        batch, batch["word_ids"], places, "token_classification", blank, f"{len(kept)} validation sentences"
    )
