"""Runs contestants in turn, each in a process of its own, and gathers what their clocks say."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from experiments.speed.contestants import NEEDS, Found
from experiments.speed.job import Job, write_data

SIZES: dict[str, dict[str, Any]] = {
    "student": {},
    "narrow": {"hidden_size": 48, "layers": (1,)},
}  # the narrow one shows what arithmetic hides


def job(arguments: argparse.Namespace) -> Found:
    """Everybody's runs; a contestant that fails says why and is left out of the other rounds."""
    found: Found = {}
    with tempfile.TemporaryDirectory() as folder:
        prepare(arguments, Path(folder), arguments.batch_size or 32).write(Path(folder) / "job.json")
        failed: set[str] = set()
        for _ in range(arguments.rounds):
            for name in arguments.only:
                if name not in failed:
                    result = run(name, Path(folder), python_of(name, arguments.peers))
                    if isinstance(result, str):
                        failed.add(name)
                        print(f"{name} did not run: {result}", file=sys.stderr)
                    else:
                        found.setdefault(name, []).append(result)
                        print(f"{name:18} {result['total']:7.2f} CPU s", file=sys.stderr)
    return found


def prepare(arguments: argparse.Namespace, folder: Path, batch_size: int) -> Job:
    """Write the sentences and describe the job."""
    write_data(folder, arguments.sentences, arguments.held_out)
    teacher = str(Path(arguments.teacher).resolve())
    return Job(
        str(folder),
        teacher,
        hidden_size=arguments.hidden_size,
        num_epochs=arguments.epochs,
        batch_size=batch_size,
        max_length=arguments.max_length,
        num_threads=arguments.threads,
    )


def python_of(name: str, peers: Path) -> str:
    """The interpreter that has what the contestant needs."""
    return str(peers / "bin" / "python") if name in NEEDS else sys.executable


def run(name: str, folder: Path, python: str) -> dict[str, Any] | str:
    """What a contestant's clock says, or the last line of what went wrong."""
    if not Path(python).exists():
        return f"no {python}; experiments/speed/README.md says how to make it"
    result = folder / f"{name}.json"
    command = [python, "-m", "experiments.speed.worker", name, str(folder / "job.json"), str(result)]
    process = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    if process.returncode:
        return (process.stderr.strip() or "no message").splitlines()[-1]
    measured: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return measured


def steps(arguments: argparse.Namespace) -> Found:
    """Step times, contestants in turn in a process for each size and precision."""
    found: Found = {}
    for size in SIZES:
        for precision in ("32-true", "bf16-mixed"):
            with tempfile.TemporaryDirectory() as folder:
                prepare(arguments, Path(folder), arguments.batch_size or 4).write(Path(folder) / "job.json")
                result = Path(folder) / "steps.json"
                command = [sys.executable, "-m", "experiments.speed.steps", f"{folder}/job.json", str(result)]
                command += [size, precision, str(arguments.steps), str(arguments.rounds)]
                subprocess.run(command, check=True, stdout=sys.stderr)
                for name, measured in json.loads(result.read_text(encoding="utf-8")).items():
                    found.setdefault(name, []).append({"size": size, "precision": precision, **measured})
    return found
