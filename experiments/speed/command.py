"""The command that a user of slimlit types for the job."""

import json
from pathlib import Path

from experiments.speed.job import Job


def command(job: Job, runs: str, precision: str = "bf16-mixed") -> list[str]:
    """``slimlit fit`` for the job, on configs/distil.yaml."""
    data = Path(job.folder)
    settings = {
        "--config": "configs/distil.yaml",
        "--runs": runs,
        "--model.teacher.source": job.teacher,
        "--model.student.layers": json.dumps(list(job.layers)),
        **({} if job.hidden_size is None else {"--model.student.hidden_size": job.hidden_size}),
        "--model.loss.weights": "{hard: 0.5, soft: 0.5}",
        "--model.optimizer.lr": job.lr,
        "--data.train": data / "train.csv",
        "--data.validation": data / "held-out.csv",
        "--data.tokenizer": job.teacher,
        "--data.max_length": job.max_length,
        "--data.batch_size": job.batch_size,
        "--data.test": data / "held-out.csv",
        "--trainer.max_epochs": job.num_epochs,
        "--trainer.precision": precision,
        "--seed_everything": job.seed,
    }
    return ["fit", *(part for name, value in settings.items() for part in (name, str(value)))]
