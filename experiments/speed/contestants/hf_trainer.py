"""Hugging Face's Trainer with a distillation loss: as it comes, and with length grouping and bf16."""

import tempfile
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from experiments.speed.clock import Clock
from experiments.speed.job import Job, collate


class Distiller(Trainer):  # type: ignore[misc]
    """A Trainer whose loss compares with a teacher."""

    def __init__(self, job: Job, teacher: PreTrainedModel, **settings: Any) -> None:
        super().__init__(**settings)
        self.job, self.teacher = job, teacher

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **ignored: Any) -> Tensor:
        """The loss of a batch; the Trainer's autocast covers student and teacher."""
        labels = inputs.pop("labels")
        with torch.no_grad():
            answers = self.teacher(**inputs).logits
        return self.job.loss(model(**inputs).logits, answers, labels)


class Watch(TrainerCallback):  # type: ignore[misc]
    """Tells the clock of epochs."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Begin an epoch."""
        self.clock.begin_epoch()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """End it."""
        self.clock.end_epoch()


def plain(job: Job, clock: Clock) -> PreTrainedModel:
    """The Trainer's defaults."""
    return _train(job, clock)


def tuned(job: Job, clock: Clock) -> PreTrainedModel:
    """Its options for batches of like length and bf16."""
    return _train(job, clock, train_sampling_strategy="group_by_length", bf16=True)


def _train(job: Job, clock: Clock, **settings: Any) -> PreTrainedModel:
    teacher, student = job.networks()
    examples = job.examples("train")
    num_steps = job.num_epochs * -(-len(examples) // job.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            use_cpu=True,
            per_device_train_batch_size=job.batch_size,
            num_train_epochs=job.num_epochs,
            learning_rate=job.lr,
            weight_decay=job.weight_decay,
            warmup_steps=round(0.1 * num_steps),
            save_strategy="no",
            report_to="none",
            remove_unused_columns=False,
            seed=job.seed,
            **settings,
        )
        trainer = Distiller(
            job,
            teacher,
            model=student,
            args=arguments,
            train_dataset=examples,
            data_collator=collate,
            callbacks=[Watch(clock)],
        )
        clock.begin()
        trainer.train()
        clock.end()
    return student
