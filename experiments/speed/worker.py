"""A contestant's own process: run the job once, score the student, write what the clock says."""

import argparse
import json
from pathlib import Path

import torch

from experiments.speed.clock import Clock
from experiments.speed.contestants import NAMES, find
from experiments.speed.job import Job, score


def main() -> None:
    """Run the named contestant."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed.worker", description=__doc__)
    parser.add_argument("contestant", choices=NAMES)
    parser.add_argument("job", type=Path)
    parser.add_argument("result", type=Path)
    arguments = parser.parse_args()
    job = Job.read(arguments.job)
    torch.set_num_threads(job.num_threads)
    torch.manual_seed(job.seed)
    train, clock = find(arguments.contestant), Clock()
    student = train(job, clock)
    accuracy = score(student, job.examples("held-out"))
    arguments.result.write_text(json.dumps({**clock.read(), "accuracy": accuracy}), encoding="utf-8")


if __name__ == "__main__":
    main()
