"""The contract of a network in YAML: a recipe that can be checked before any weight is loaded."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from transformers import PreTrainedConfig, PreTrainedModel

Kind = Literal["sequence_classification", "token_classification", "causal_lm", "masked_lm", "seq2seq_lm"]


@dataclass(frozen=True)
class Head:
    """What a task wants a network to answer: a class of each text, a class of each token, or words.

    Args:
        labels: the classes in order; none where the answer is words.
        kind: of the answer, in transformers' names.
    """

    labels: Sequence[str] = ()
    kind: Kind = "sequence_classification"


class Network(ABC):
    """A model to be: its configuration can be read at once, its weights are loaded when the task asks for them.

    Name any subclass by its import path in YAML. Two methods make a new one.
    """

    @abstractmethod
    def config(self, head: Head, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The configuration the built model will have, apart from its labels; reads no weights.

        Raises:
            ValueError: there is no such model, or its settings do not fit it (or the teacher it is made of), or it cannot
                carry such a head.
        """

    @abstractmethod
    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The model with that head; ``teacher`` is there for students made of one."""

    def made_of(self) -> list[str] | None:
        """The models, by source, whose weights it begins with beside the task's teacher: what they owe to data, it owes.

        None where it does not say; the privacy ledger then notes that this is not known.
        """
        return None

    @property
    def tokenizer_source(self) -> str | None:
        """Where the tokenizer this model was trained with is found; None where the model brings none."""
        return None

    def is_trained_for(self, head: Head) -> bool:
        """Whether it has a trained head of that kind, so that it can teach."""
        return False

    def known_labels(self, head: Head) -> list[str] | None:
        """The classes a trained head of that kind already knows, in order; None where it is still to be trained."""
        return None


def name_labels(config: PreTrainedConfig, labels: Sequence[str]) -> None:
    """Write the label names into a configuration."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
