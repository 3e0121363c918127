"""``ClassAnswers``: what a classifier said of each example of a split, whichever process asked it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed
from jaxtyping import Float, Int

Outputs = dict[str, torch.Tensor | None]


@dataclass
class ClassAnswers:
    """The answers to the examples that have a label, in the order of their ids."""

    example_id: Int[np.ndarray, " examples"]
    labels: Int[np.ndarray, " examples"]
    probabilities: Float[np.ndarray, "examples classes"]
    teacher: Int[np.ndarray, " examples"]
    """The teacher's class, -1 without a teacher."""

    @property
    def predicted(self) -> Int[np.ndarray, " examples"]:
        """The class of the highest probability."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def worst(self, count: int) -> list[int]:
        """The places of the wrong answers, the most confident first, at most ``count``."""
        confidence = self.probabilities.max(axis=1)
        wrong = np.flatnonzero(self.predicted != self.labels)
        places: list[int] = wrong[np.argsort(-confidence[wrong], kind="stable")][:count].tolist()
        return places


def gather(batches: Sequence[Outputs]) -> ClassAnswers | None:
    """The answers of all processes, each example once; None where there are none."""
    parts = [_as_answers(batches)] if batches else []
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        everyone: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(everyone, parts)
        parts = [part for process in everyone for part in process]
    if not parts:
        return None
    fields = {name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])}
    _, first = np.unique(fields["example_id"], return_index=True)  # a sampler may have dealt an example twice
    known = first[fields["labels"][first] >= 0]
    return ClassAnswers(**{name: field[known] for name, field in fields.items()})


def _as_answers(batches: Sequence[Outputs]) -> ClassAnswers:
    def joined(name: str) -> torch.Tensor:
        return torch.cat([part for batch in batches if (part := batch[name]) is not None]).detach().cpu()

    example_id = joined("example_id").numpy()
    has_teacher = batches[0]["teacher_logits"] is not None
    return ClassAnswers(
        example_id=example_id,
        labels=joined("labels").numpy(),
        probabilities=torch.softmax(joined("logits").double(), dim=-1).numpy(),
        teacher=joined("teacher_logits").argmax(dim=-1).numpy() if has_teacher else np.full(len(example_id), -1),
    )
