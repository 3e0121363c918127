"""``python -m experiments.privacy.accuracy``: every run that is not there yet, then table, plot and ``results.json``."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from experiments.privacy.accuracy.plan import KINDS, DataSet, Job, data_sets, ordinary_job, public_jobs, student_jobs


def main() -> int:
    """Run what is asked for and not done, and write down what came of it."""
    parser = argparse.ArgumentParser(prog="python -m experiments.privacy.accuracy", description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"), help="where the data sets are")
    parser.add_argument("--runs", type=Path, default=Path("/tmp/accuracy-runs"))
    parser.add_argument("--only", nargs="+", default=["sst2", "ag", "zh"], help="data sets")
    parser.add_argument("--stages", nargs="+", default=["public", "students", "ordinary"])
    parser.add_argument("--seeds", type=int, default=1, help="of the ordinary students")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from experiments.privacy.accuracy import public_text, results

    shared = asked.shared.resolve()
    public_text.write(asked.runs / "text", shared)
    for data in data_sets(shared):
        if data.name not in asked.only:
            continue
        if "public" in asked.stages:
            if not data.has_public_labels:
                save_teacher(data, asked.runs)
            for job in public_jobs(data, asked.runs, shared):
                run(job, asked.runs)
            make_encoders(data, asked.runs)
        if "students" in asked.stages:
            for job in student_jobs(data, asked.runs, shared):
                run(job, asked.runs)
        if "ordinary" in asked.stages:
            for seed in range(asked.seeds):
                run(ordinary_job(data, seed, asked.runs, shared), asked.runs)
    results.write(asked.runs, Path(__file__).parent, shared)
    return 0


def run(job: Job, runs: Path) -> None:
    """Fit and test one run in this process, unless that was done, and note what it took.

    Raises:
        RuntimeError: it failed.
    """
    from slimlit import cli

    done = runs / job.name / "took.json"
    if done.exists():
        return
    began, wall = time.process_time(), time.perf_counter()
    common = ["--runs", str(runs), "--run", job.name, "--wandb", "disabled"]
    if (runs / job.name / "student").exists() or not cli.run(["fit", *job.options, *common]):
        fitted = time.process_time() - began
        if not cli.run(["test", *common[:4], "--wandb", "disabled"]):
            took = {"fit": fitted, "all": time.process_time() - began, "wall": time.perf_counter() - wall}
            done.write_text(json.dumps(took))
            return
    raise RuntimeError(f"{job.name} failed")


def save_teacher(data: DataSet, runs: Path) -> None:
    """Save the encoder with a head nobody trained: slimlit takes classifiers as teachers, and only hidden states are read here."""
    from slimlit.models import Head, Pretrained
    from slimlit.models.tokenizers import load_tokenizer

    folder = runs / "encoders" / f"{data.name}-teacher"
    if not (folder / "config.json").exists():
        Pretrained(data.encoder, pooling="mean").build(Head(["0", "1", "2", "3"])).save_pretrained(folder)
        load_tokenizer(data.encoder).save_pretrained(folder)


def make_encoders(data: DataSet, runs: Path) -> None:
    """Save the two encoders students stand on, both standardised on public text: as it came, and after the public teacher."""
    from experiments.privacy.accuracy.standard import standardise
    from slimlit.data import TextClassification
    from slimlit.models import Head, Pretrained, Shrunk

    text = TextClassification(f"{runs}/text/{data.public}.tsv", data.encoder, max_length=64)
    for kind in KINDS:
        folder = runs / "encoders" / f"{data.name}-{kind}"
        if (folder / "config.json").exists():
            continue
        text.setup("fit")
        plain = Shrunk(list(data.layers), pooling="mean", of=data.encoder)
        network = plain if kind == "without" else Pretrained(f"{runs}/{data.name}-public-student")
        student = network.build(Head(text.labels))
        standardise(student, text)
        student.save_pretrained(folder)
        ledger = runs / f"{data.name}-public-student" / "privacy.json"
        if kind == "with":  # what the public stage read; the private texts are not in it
            (folder / ledger.name).write_text(ledger.read_text())
        text.tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    sys.exit(main())
