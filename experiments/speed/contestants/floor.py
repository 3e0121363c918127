"""The floor: the student's forward, backward and optimizer step alone, teacher's answers and batches at hand before the clock runs."""

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from experiments.speed.clock import Clock
from experiments.speed.job import Job, batch_up, collate
from slimlit.data.batches import LengthGroupedBatches


def ours(job: Job, clock: Clock) -> PreTrainedModel:
    """In slimlit's setting: batches of like length, bf16 as in configs/distil.yaml, fused AdamW, quick dropout, seen words."""
    lengths = np.array([len(example["input_ids"]) for example in job.examples("train")])
    sampler = LengthGroupedBatches(lengths, job.batch_size, seed=job.seed)
    epochs = [[rows.tolist() for rows in sampler.epoch(epoch)] for epoch in range(job.num_epochs)]
    return _train(job, clock, epochs, bf16=True, fused=True)


def plain(job: Job, clock: Clock) -> PreTrainedModel:
    """In the plain setting: float32, random batches padded to their longest, AdamW as it comes."""
    random, count = np.random.default_rng(job.seed), len(job.examples("train"))
    epochs = [batch_up(random.permutation(count).tolist(), job.batch_size) for _ in range(job.num_epochs)]
    return _train(job, clock, epochs, bf16=False, fused=None)


def _train(job: Job, clock: Clock, epochs: list[list[list[int]]], bf16: bool, fused: bool | None) -> PreTrainedModel:
    teacher, student = job.networks()
    examples = job.examples("train")
    prepared: list[list[dict[str, Tensor]]] = []
    with torch.no_grad():
        for epoch in epochs:
            prepared.append([])
            for rows in epoch:
                batch = collate([examples[row] for row in rows])
                labels = batch.pop("labels")
                prepared[-1].append({**batch, "labels": labels, "answers": teacher(**batch).logits})
    del teacher
    if bf16:
        job.prepare(student, examples)
    optimizer = job.optimizer(student, fused)
    schedule = job.schedule(optimizer, sum(map(len, epochs)))
    clock.begin()
    for batches in prepared:
        clock.begin_epoch()
        for batch in batches:
            labels, answers = batch.pop("labels"), batch.pop("answers")
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = job.loss(student(**batch).logits, answers, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        clock.end_epoch()
    clock.end()
    return student
