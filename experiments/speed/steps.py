"""``python -m experiments.speed.steps``: what a training step costs beside its arithmetic: a bare loop, stock Lightning and slimlit at a small batch, in turn."""

import argparse
import dataclasses
import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from experiments.speed.command import command
from experiments.speed.job import Example, Job, collate
from experiments.speed.stopwatch import Stopwatch
from slimlit.data.batches import LengthGroupedBatches
from slimlit.tasks.memory import keep_freed_memory


def with_answers(job: Job, teacher: PreTrainedModel) -> list[Example]:
    """The training examples with what the teacher says of each, computed once."""
    examples = job.examples("train")
    with torch.no_grad():
        for example in examples:
            example["teacher"] = teacher(input_ids=torch.tensor([example["input_ids"]])).logits[0]
    return examples


def grouped(job: Job, examples: list[Example]) -> DataLoader[Any]:
    """slimlit's own batches, so that all three do the same arithmetic."""
    lengths = np.array([len(example["input_ids"]) for example in examples])
    batches = LengthGroupedBatches(lengths, job.batch_size, seed=job.seed)
    return DataLoader(examples, batch_sampler=batches, collate_fn=collate_answers)  # type: ignore[arg-type]


def collate_answers(examples: list[Example]) -> dict[str, Tensor]:
    """A batch with the teacher's logits."""
    return {**collate(examples), "teacher": torch.stack([example["teacher"] for example in examples])}


def bare(job: Job, precision: str, num_steps: int) -> None:
    """The loop one would write by hand, the teacher's answers at hand."""
    teacher, student = job.networks()
    examples = with_answers(job, teacher)
    job.prepare(student, examples)
    loader = grouped(job, examples)
    optimizer = job.optimizer(student, fused=True)
    schedule = LambdaLR(optimizer, lambda step: 1.0 - step / num_steps)
    for _, batch in zip(range(num_steps), forever(loader), strict=False):
        Stopwatch.mark()
        answers, labels = batch.pop("teacher"), batch.pop("labels")
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = job.loss(student(**batch).logits, answers, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()


def forever(loader: DataLoader[Any]) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


class Stock(pl.LightningModule):
    """The module one would write by hand, logging its loss at each step."""

    def __init__(self, job: Job, student: PreTrainedModel, num_steps: int) -> None:
        super().__init__()
        self.job, self.student, self.num_steps = job, student, num_steps

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The loss."""
        answers, labels = batch.pop("teacher"), batch.pop("labels")
        loss = self.job.loss(self.student(**batch).logits, answers, labels)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        """As the bare loop."""
        optimizer = self.job.optimizer(self.student, fused=True)
        schedule = LambdaLR(optimizer, lambda step: 1.0 - step / self.num_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def stock(job: Job, precision: str, num_steps: int) -> None:
    """Lightning as it comes: progress bar, CSV logger, checkpoints."""
    teacher, student = job.networks()
    examples = with_answers(job, teacher)
    job.prepare(student, examples)
    loader = grouped(job, examples)
    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            max_steps=num_steps,
            max_epochs=-1,
            precision=precision,  # type: ignore[arg-type]
            default_root_dir=folder,
            callbacks=[Stopwatch()],
        )
        trainer.fit(Stock(job, student, num_steps), loader)


def slimlit(job: Job, precision: str, num_steps: int, *options: str) -> None:
    """slimlit's command with its configuration, W&B, reports and checkpoints included."""
    from slimlit.cli import run

    with tempfile.TemporaryDirectory() as folder:
        arguments = [*command(job, folder, precision), "--trainer.callbacks+=experiments.speed.stopwatch.Stopwatch"]
        assert run([*arguments, f"--trainer.max_steps={num_steps}", "--trainer.max_epochs=-1", *options]) == 0


CONTESTANTS = {"bare": bare, "stock": stock, "slimlit": slimlit}


def measure(job: Job, precision: str, num_steps: int, num_rounds: int, only: list[str]) -> dict[str, Any]:
    """Median CPU and wall milliseconds a step, contestants in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in only}
    for _ in range(num_rounds):
        for name in only:
            CONTESTANTS[name](job, precision, num_steps)
            found[name] += Stopwatch.steps()
    return {
        name: {
            "cpu_ms": statistics.median(cpu for cpu, _ in steps),
            "mean_cpu_ms": statistics.fmean(cpu for cpu, _ in steps),
            "wall_ms": statistics.median(wall for _, wall in steps),
            "num_steps": len(steps),
        }
        for name, steps in found.items()
    }


def main() -> None:
    """Measure one size and precision."""
    from experiments.speed.match import SIZES

    parser = argparse.ArgumentParser(prog="python -m experiments.speed.steps")
    parser.add_argument("job", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("size", choices=SIZES)
    parser.add_argument("precision")
    parser.add_argument("steps", type=int)
    parser.add_argument("rounds", type=int)
    arguments = parser.parse_args()
    job = dataclasses.replace(Job.read(arguments.job), **SIZES[arguments.size])
    torch.set_num_threads(job.num_threads)
    keep_freed_memory()  # slimlit does, for the whole process: then for everyone in it
    found = measure(job, arguments.precision, arguments.steps, arguments.rounds, list(CONTESTANTS))
    arguments.result.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
