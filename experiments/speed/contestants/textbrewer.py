"""TextBrewer: its GeneralDistiller, and its BasicDistiller with the teacher's logits cached.

Its soft loss is a cross-entropy without the square of the temperature; the weight makes up for it.
"""

import tempfile
from typing import Any

from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from experiments.speed.clock import Clock, TimedLoader
from experiments.speed.job import Job, collate


def live(job: Job, clock: Clock) -> PreTrainedModel:
    """The distiller its documentation recommends; the teacher runs at every step."""
    from textbrewer import GeneralDistiller  # type: ignore[import-not-found]

    return _train(job, clock, GeneralDistiller, is_caching_logits=False)


def cached(job: Job, clock: Clock) -> PreTrainedModel:
    """Fixed batches in a Python list, with the teacher's logits of each; the first epoch has the teacher's pass in it."""
    from textbrewer import BasicDistiller

    return _train(job, clock, BasicDistiller, is_caching_logits=True)


def _train(job: Job, clock: Clock, distiller_class: Any, is_caching_logits: bool) -> PreTrainedModel:
    from textbrewer import DistillationConfig, TrainingConfig

    teacher, student = job.networks()
    loader_class: Any = DataLoader if is_caching_logits else TimedLoader
    loader: Any = loader_class(job.examples("train"), job.batch_size, shuffle=True, collate_fn=collate)
    loader.clock = clock

    def next_epoch(model: Any, step: int) -> None:
        clock.end_epoch()
        clock.begin_epoch()

    optimizer = job.optimizer(student)
    with tempfile.TemporaryDirectory() as folder:
        distiller = distiller_class(
            TrainingConfig(output_dir=folder, log_dir=folder, device="cpu"),
            DistillationConfig(
                temperature=job.temperature,
                hard_label_weight=0.5,
                kd_loss_weight=0.5 * job.temperature**2,
                is_caching_logits=is_caching_logits,
            ),
            teacher,
            student,
            lambda batch, outputs: {"logits": outputs.logits},
            lambda batch, outputs: {"logits": outputs.logits, "losses": outputs.loss},
        )
        clock.begin()
        if is_caching_logits:  # its epochs never touch the loader: the checkpoint at the end of each tells the time
            clock.begin_epoch()
        with distiller:
            distiller.train(
                optimizer,
                loader,
                num_epochs=job.num_epochs,
                callback=next_epoch if is_caching_logits else None,
                scheduler_class=LambdaLR,
                scheduler_args={"lr_lambda": job.scale(job.num_epochs * len(loader))},
            )
        clock.end()
    return student
