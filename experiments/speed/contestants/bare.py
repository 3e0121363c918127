"""The PyTorch loop one would write by hand: random batches, the teacher run at every step, AdamW as it comes."""

import torch
from transformers import PreTrainedModel

from experiments.speed.clock import Clock, TimedLoader
from experiments.speed.job import Job, collate


def train(job: Job, clock: Clock) -> PreTrainedModel:
    """Train the student."""
    teacher, student = job.networks()
    loader = TimedLoader(job.examples("train"), job.batch_size, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    loader.clock = clock
    optimizer = job.optimizer(student)
    schedule = job.schedule(optimizer, job.num_epochs * len(loader))
    clock.begin()
    for _ in range(job.num_epochs):
        for batch in loader:
            labels = batch.pop("labels")
            with torch.no_grad():
                answers = teacher(**batch).logits
            loss = job.loss(student(**batch).logits, answers, labels)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    clock.end()
    return student
