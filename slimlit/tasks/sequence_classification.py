"""Classify texts or pairs of texts: sentiment, topics, offence, entailment; plainly or distilled from a teacher."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError, MulticlassF1Score

from slimlit.losses import HardLabels, Loss
from slimlit.models import Network, read
from slimlit.models.network import Kind
from slimlit.tasks.base import MakeOptimizer, Task
from slimlit.tasks.optimizers import AdamW
from slimlit.types import Batch


class SequenceClassification(Task):
    """One label a text. The classes are those of the data.

    Args:
        student: the network to train.
        teacher: a fine-tuned network over the same classes and tokens; without one, training is plain.
        loss: what to minimise; outputs and batch in, one number per example out.
        optimizer: called with the parameters of student and loss.
        warmup: fraction of the steps over which the learning rate rises; then it falls linearly to zero.
        train_words: ``"seen"`` trains those rows of the word table whose words are in the training texts: faster, smaller
            checkpoints, the same student but that weight decay leaves the other words alone. A private text shows by it
            which words it has.
        freeze: parts of the student that stay as they are, by their names in it: ``encoder``, ``encoder.embeddings``;
            without dropout, as a teacher is.
    """

    kind: ClassVar[Kind] = "sequence_classification"
    monitor: ClassVar[str] = "validation/accuracy"
    mode: ClassVar[Literal["max", "min"]] = "max"

    def __init__(
        self,
        student: Network,
        teacher: Network | None = None,
        loss: Loss | None = None,
        optimizer: MakeOptimizer = AdamW,
        warmup: float = 0.1,
        train_words: Literal["all", "seen"] = "all",
        freeze: list[str] | None = None,
    ) -> None:
        super().__init__(student, teacher, loss or HardLabels(), optimizer, warmup, train_words, freeze)

    def prepare_metrics(self, data: Any) -> None:
        """Accuracy, macro F1 and calibration, and agreement with the teacher."""
        num_classes = len(self.head.labels)
        if num_classes < 2:
            raise ValueError(f"the data has one class only: {data.labels}; a classifier needs at least two")
        metrics = MetricCollection(
            {
                "accuracy": MulticlassAccuracy(num_classes, average="micro"),
                "macro_f1": MulticlassF1Score(num_classes, average="macro"),
                "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15),
            },
            compute_groups=False,
        )
        self.metrics = torch.nn.ModuleDict()
        for split in ("validation", "test"):
            self.metrics[split] = metrics.clone(prefix=f"{split}/")
            self.metrics[f"{split}_agreement"] = MulticlassAccuracy(num_classes, average="micro")

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor | None]:
        """Score a batch; what it returns is for callbacks."""
        return self._score(batch, "validation")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor | None]:
        """Score a batch; what it returns is for callbacks."""
        return self._score(batch, "test")

    def _score(self, batch: Batch, split: str) -> dict[str, Tensor | None]:
        student = read(self.student, batch, self.loss.student_needs)
        teacher = self.read_teacher(batch, self.loss.teacher_needs)
        losses = (
            self.loss.combine(self.loss.parts(student, teacher, batch))
            if teacher or not self.loss.teacher_needs
            else None
        )
        metrics, agreement = self.metrics[split], self.metrics[f"{split}_agreement"]
        assert isinstance(metrics, MetricCollection)
        assert isinstance(agreement, MulticlassAccuracy)
        logits = student.logits.float()
        metrics.update(logits, batch["labels"])
        size = len(logits)
        if losses is not None:
            self.log_loss(split, losses)
        self.log_dict(metrics, batch_size=size, on_step=False, on_epoch=True)
        if teacher is not None:
            agreement.update(logits, teacher.logits.argmax(dim=-1))
            self.log(f"{split}/agreement", agreement, batch_size=size, on_step=False, on_epoch=True)
        return {
            "logits": logits,
            "labels": batch["labels"],
            "example_id": batch["example_id"],
            "teacher_logits": None if teacher is None else teacher.logits,
            "losses": losses,
        }

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """Probabilities ``(batch, classes)`` and the rows they are for."""
        logits = read(self.student, batch).logits
        return {"example_id": batch["example_id"], "probabilities": torch.softmax(logits.float(), dim=-1)}

    def predictions(self, answers: list[Any], data: Any) -> dict[int, dict[str, Any]]:
        """The label of each text and its probability."""
        split, found = data.splits["predict"], {}
        for answer in answers:
            probabilities, labels = answer["probabilities"].max(dim=-1)
            for row, label, probability in zip(
                answer["example_id"].tolist(), labels.tolist(), probabilities.tolist(), strict=True
            ):
                line = {"label": data.labels[label], "probability": round(probability, 6), "text": split.texts[row]}
                found[row] = line if split.pairs is None else {**line, "pair": split.pairs[row]}
        return found
