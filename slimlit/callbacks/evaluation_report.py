"""EvaluationReport: confusion, calibration, the examples most confidently wrong, and how fast training goes."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from slimlit.callbacks.artifacts import Cell, at_step, keep_json, keep_picture, keep_table, show
from slimlit.callbacks.class_answers import ClassAnswers, Outputs, gather
from slimlit.callbacks.differential_privacy import is_private
from slimlit.explain.calibration import calibrate, calibration_error, draw_calibration
from slimlit.explain.confusion import draw_confusion
from slimlit.tasks.base import Task


class EvaluationReport(Callback):
    """After each validation and test, write what the student mistakes for what, how well it knows, and its worst answers.

    Writes ``reports/<split>-confusion.svg`` and ``.tsv``, ``reports/<split>-calibration.svg`` and ``.json``, and
    ``reports/<split>-worst.tsv`` and ``.json``, and shows them in W&B.
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
        self._batches: list[Outputs] = []
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
        answers = gather(self._batches)
        self._batches = []
        if answers is None or not trainer.is_global_zero:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        labels: list[str] = data.labels
        pictures = {
            f"{name}/confusion": _keep_confusion(trainer, name, answers, labels),
            f"{name}/calibration": _keep_calibration(trainer, name, answers),
        }
        tables = {} if is_private(trainer) else {f"{name}/worst": self._worst(answers, data.splits[name], labels)}
        for columns, rows in tables.values():
            keep_table(trainer, f"reports/{name}-worst.tsv", columns, rows)
            worst = [dict(zip(columns, row, strict=True)) for row in rows]
            counts = {"examples": len(answers.labels), "wrong": int((answers.predicted != answers.labels).sum())}
            keep_json(trainer, f"reports/{name}-worst.json", {**counts, "labels": labels, "worst": worst})
        show(trainer, pictures, tables)

    def _worst(self, answers: ClassAnswers, split: Any, labels: list[str]) -> tuple[list[str], list[list[Cell]]]:
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
        for place in answers.worst(self.num_worst):
            row, teacher = int(answers.example_id[place]), int(answers.teacher[place])
            texts: list[Cell] = [split.texts[row], split.pairs[row]] if has_pairs else [split.texts[row]]
            said = [labels[answers.labels[place]], labels[answers.predicted[place]]]
            says = labels[teacher] if teacher >= 0 else None
            rows.append([row, *texts, *said, round(float(answers.probabilities[place].max()), 4), says])
        return columns, rows


def _keep_confusion(trainer: Trainer, name: str, answers: ClassAnswers, labels: list[str]) -> str:
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (answers.labels, answers.predicted), 1)
    picture = draw_confusion(confusion, labels, f"{name}: what the student says{at_step(trainer)}")
    counts: list[list[Cell]] = [[label, *row] for label, row in zip(labels, confusion.tolist(), strict=True)]
    keep_picture(trainer, f"reports/{name}-confusion.svg", picture)
    keep_table(trainer, f"reports/{name}-confusion.tsv", ("label \\ student", *labels), counts)
    return picture


def _keep_calibration(trainer: Trainer, name: str, answers: ClassAnswers) -> str:
    bins = calibrate(answers.probabilities, answers.labels)
    picture = draw_calibration(f"{name}: how often the student is right{at_step(trainer)}", bins)
    keep_picture(trainer, f"reports/{name}-calibration.svg", picture)
    found = {"expected calibration error": calibration_error(bins), "bins": [asdict(one) for one in bins]}
    keep_json(trainer, f"reports/{name}-calibration.json", found)
    return picture
