"""``Job``: the one distillation that every contestant runs, its data, networks and loss."""

import csv
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR
from transformers import AutoTokenizer, PreTrainedModel

from slimlit.models import Head, Pretrained, Shrunk
from slimlit.models.attention import quicken_dropout
from slimlit.models.seen_words import train_seen_words
from slimlit.models.sources import find
from slimlit.tasks.memory import keep_freed_memory
from slimlit.text.downloads import bundles

LABELS = ["negative", "positive"]
Example = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """Student of three layers from a fine-tuned teacher: labels and softened teacher answers, half and half.

    Args:
        folder: holds ``train.csv`` and ``held-out.csv``.
        teacher: a fine-tuned classifier: a run or a Hugging Face folder.
    """

    folder: str
    teacher: str
    layers: tuple[int, ...] = (1, 2, 3)
    hidden_size: int | None = None
    num_epochs: int = 3
    batch_size: int = 32
    max_length: int = 64
    lr: float = 2e-4
    weight_decay: float = 0.01
    temperature: float = 2.0
    num_threads: int = 2
    seed: int = 0

    def write(self, file: Path) -> None:
        """Keep the job where a contestant's process reads it."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> "Job":
        """The job that :meth:`write` kept."""
        settings = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**settings, "layers": tuple(settings["layers"])})

    def optimizer(self, student: nn.Module, fused: bool | None = None) -> torch.optim.AdamW:
        """AdamW over the student's weights."""
        return torch.optim.AdamW(student.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=fused)

    def examples(self, split: str) -> list[Example]:
        """Tokenised texts with their labels, not padded."""
        with (Path(self.folder) / f"{split}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        tokenizer = AutoTokenizer.from_pretrained(find(self.teacher))
        ids = tokenizer([row["text"] for row in rows], truncation=True, max_length=self.max_length)["input_ids"]
        return [
            {"input_ids": tokens, "labels": LABELS.index(row["label"])} for tokens, row in zip(ids, rows, strict=True)
        ]

    def networks(self) -> tuple[PreTrainedModel, PreTrainedModel]:
        """Teacher, frozen and in eval mode, and student, in train mode; the same weights for every contestant."""
        torch.manual_seed(self.seed)
        teacher = Pretrained(self.teacher).build(Head(LABELS))
        student = Shrunk(list(self.layers), self.hidden_size, pooling="attention").build(Head(LABELS), teacher)
        return teacher.requires_grad_(False).eval(), student.train()

    def prepare(self, student: PreTrainedModel, examples: list[Example]) -> None:
        """Do to a student what slimlit does before training, for contestants that are to do the same arithmetic."""
        keep_freed_memory()
        quicken_dropout(student)
        train_seen_words(student, {token for example in examples for token in example["input_ids"]})

    def scale(self, num_steps: int) -> Callable[[int], float]:
        """Of the learning rate: linear warm-up over a tenth of the steps, then linear decay, as slimlit's tasks do."""
        warm = max(1, round(0.1 * num_steps))
        return lambda step: min((step + 1) / warm, max(0.0, (num_steps - step) / max(1, num_steps - warm)))

    def schedule(self, optimizer: torch.optim.Optimizer, num_steps: int) -> LambdaLR:
        """The learning rate over the steps."""
        return LambdaLR(optimizer, self.scale(num_steps))

    def loss(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Half cross-entropy, half Kullback-Leibler divergence at the temperature, times its square."""
        tau = self.temperature
        soft = functional.kl_div(
            functional.log_softmax(student.float() / tau, dim=-1),
            functional.log_softmax(teacher.float() / tau, dim=-1),
            reduction="batchmean",
            log_target=True,
        )
        return 0.5 * functional.cross_entropy(student.float(), labels) + 0.5 * tau**2 * soft


def collate(examples: list[Example]) -> dict[str, Tensor]:
    """A batch, padded to its longest example."""
    length = max(len(example["input_ids"]) for example in examples)
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, example in enumerate(examples):
        tokens = torch.tensor(example["input_ids"])
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "labels": torch.tensor([example["labels"] for example in examples]),
    }


def score(student: PreTrainedModel, examples: list[Example]) -> float:
    """Accuracy, in float32."""
    student.eval()
    right = 0
    with torch.inference_mode():
        order = sorted(range(len(examples)), key=lambda row: len(examples[row]["input_ids"]))
        for rows in batch_up(order, 64):
            batch = collate([examples[row] for row in rows])
            labels = batch.pop("labels")
            right += int((student(**batch).logits.argmax(dim=-1) == labels).sum())
    return right / len(examples)


def batch_up(rows: list[int], size: int) -> list[list[int]]:
    """The rows as they stand, in batches."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def write_data(folder: Path, num_train: int, num_held_out: int, seed: int = 0) -> None:
    """Draw training and held-out sentences of the bundled reviews."""
    source = bundles.find("rotten-tomatoes")
    with source.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    rows = sorted(dict(rows).items())
    random.Random(seed).shuffle(rows)
    parts = {"train": rows[:num_train], "held-out": rows[num_train : num_train + num_held_out]}
    for name, part in parts.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("text", "label"), *part])
