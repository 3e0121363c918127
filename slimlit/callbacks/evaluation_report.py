"""EvaluationReport: the confusion matrix, the examples most confidently wrong, and how fast training goes."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.distributed
from jaxtyping import Float, Int
from lightning.pytorch import Callback, LightningModule, Trainer

from slimlit.callbacks.artifacts import Cell, at_step, keep_picture, keep_table, show
from slimlit.callbacks.differential_privacy import is_private
from slimlit.explain.heat_map import draw_heat_maps
from slimlit.tasks.base import Task


@dataclass
class _Answers:
    example_id: Int[np.ndarray, " examples"]
    labels: Int[np.ndarray, " examples"]
    probabilities: Float[np.ndarray, "examples classes"]
    teacher: Int[np.ndarray, " examples"]
    """The teacher's class, -1 without a teacher."""


class EvaluationReport(Callback):
    """After each validation and test, write what the student mistakes for what, and its worst answers.

    Writes ``reports/<split>-confusion.svg`` and ``.tsv`` and ``reports/<split>-worst.tsv``, and shows them in W&B.
    Logs ``train/examples_per_second`` for each epoch, over all processes, the time of validation left out.

    Guarantees:
        - each example counts once, whatever process scored it and however batches were made up;
        - examples without a label are left out;
        - of a private run, which shows nobody a text, it lists no worst answers and logs no throughput.

    Args:
        num_worst: wrong answers to list, the most confident first.
    """

    def __init__(self, num_worst: int = 20) -> None:
        if num_worst < 0:
            raise ValueError(f"EvaluationReport.num_worst is {num_worst}; expected 0 or more examples")
        self.num_worst = num_worst
        self._batches: list[dict[str, torch.Tensor | None]] = []
        self._started = 0.0
        self._validation_started = 0.0
        self._num_examples = 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse a task whose answers are not one class a text.

        Raises:
            ValueError: it is another.
        """
        if isinstance(pl_module, Task) and pl_module.kind == "token_classification":
            raise ValueError(
                "EvaluationReport compares the classes of texts, and here words have them\nuse EntityReport"
            )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._started, self._num_examples = time.perf_counter(), 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the examples."""
        self._num_examples += len(batch["labels"])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the throughput."""
        seconds = time.perf_counter() - self._started
        if self._num_examples and seconds > 0 and not is_private(trainer):
            pl_module.log("train/examples_per_second", self._num_examples * trainer.world_size / seconds)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an interrupted validation left; stop the clock."""
        self._batches = []
        self._validation_started = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the clock go on."""
        self._started += time.perf_counter() - self._validation_started

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what an interrupted test left."""
        self._batches = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the answers, where they are: moving them now would wait for the device."""
        self._batches.append(outputs)

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the answers."""
        self._batches.append(outputs)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the validation report; not for the sanity check's few batches."""
        if not trainer.sanity_checking:
            self._report(trainer, "validation")

    def on_test_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the test report."""
        self._report(trainer, "test")

    def _report(self, trainer: Trainer, name: str) -> None:
        answers = _gather(self._batches)
        self._batches = []
        if answers is None or not trainer.is_global_zero:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        labels: list[str] = data.labels
        predicted = answers.probabilities.argmax(axis=1)
        confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
        np.add.at(confusion, (answers.labels, predicted), 1)
        picture = draw_confusion(confusion, labels, f"{name}: what the student says{at_step(trainer)}")
        counts: list[list[Cell]] = [[label, *row] for label, row in zip(labels, confusion.tolist(), strict=True)]
        keep_picture(trainer, f"reports/{name}-confusion.svg", picture)
        keep_table(trainer, f"reports/{name}-confusion.tsv", ("label \\ student", *labels), counts)
        tables = {} if is_private(trainer) else {f"{name}/worst": self._worst(answers, data.splits[name], labels)}
        for worst in tables.values():
            keep_table(trainer, f"reports/{name}-worst.tsv", *worst)
        show(trainer, {f"{name}/confusion": picture}, tables)

    def _worst(self, answers: _Answers, split: Any, labels: list[str]) -> tuple[list[str], list[list[Cell]]]:
        predicted = answers.probabilities.argmax(axis=1)
        confidence = answers.probabilities.max(axis=1)
        wrong = np.flatnonzero(predicted != answers.labels)
        order = wrong[np.argsort(-confidence[wrong], kind="stable")][: self.num_worst]
        has_pairs = split.pairs is not None
        columns = [
            "example_id",
            "text",
            *(["pair"] if has_pairs else []),
            "label",
            "predicted",
            "probability",
            "teacher",
        ]
        rows: list[list[Cell]] = []
        for place in order.tolist():
            row, teacher = int(answers.example_id[place]), int(answers.teacher[place])
            texts: list[Cell] = [split.texts[row], split.pairs[row]] if has_pairs else [split.texts[row]]
            said = [labels[answers.labels[place]], labels[predicted[place]]]
            says = labels[teacher] if teacher >= 0 else None
            rows.append([row, *texts, *said, round(float(confidence[place]), 4), says])
        return columns, rows


def draw_confusion(confusion: Int[np.ndarray, "classes classes"], labels: list[str], title: str) -> str:
    """The counts of label (row) and answer (column) as a picture, each row shaded by its shares."""
    shares = confusion / np.maximum(1, confusion.sum(axis=1, keepdims=True))
    numbers = [[f"{count:,}" for count in row] for row in confusion.tolist()]
    right, total = int(np.trace(confusion)), int(confusion.sum())
    caption = f"numbers: examples, shade: share of the row; right: {right:,} of {total:,}"
    return draw_heat_maps(title, {"": shares}, labels, labels, caption, numbers, ("label", "student"))


def _gather(batches: list[dict[str, torch.Tensor | None]]) -> _Answers | None:
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
    return _Answers(**{name: field[known] for name, field in fields.items()})


def _as_answers(batches: list[dict[str, torch.Tensor | None]]) -> _Answers:
    def joined(name: str) -> torch.Tensor:
        return torch.cat([part for batch in batches if (part := batch[name]) is not None]).detach().cpu()

    example_id = joined("example_id").numpy()
    has_teacher = batches[0]["teacher_logits"] is not None
    return _Answers(
        example_id=example_id,
        labels=joined("labels").numpy(),
        probabilities=torch.softmax(joined("logits").double(), dim=-1).numpy(),
        teacher=joined("teacher_logits").argmax(dim=-1).numpy() if has_teacher else np.full(len(example_id), -1),
    )
