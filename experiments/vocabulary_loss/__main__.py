"""``python -m experiments.vocabulary_loss``: a loss over the whole vocabulary, forward and backward, in CPU time and memory."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from experiments.vocabulary_loss.contestants import CONTESTANTS
from experiments.vocabulary_loss.job import make_job

JOBS = {
    "4,096 tokens x 50,257 words": (4096, 50257),
    "1,024 tokens x 128,256 words": (1024, 128256),
    "4,096 tokens x 128,256 words": (4096, 128256),
}
FLOOR = ("products alone, whole", "products alone, in blocks")


def measure(name: str, contestant: str) -> dict[str, float]:
    """One step of one contestant in this process, after a small one that starts threads and libraries."""
    step = CONTESTANTS[contestant]
    step(make_job(64, 512))
    job = make_job(*JOBS[name])
    before, cpu, wall = resident("VmRSS"), time.process_time(), time.perf_counter()
    loss = step(job)
    found = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    return found | {"extra_mib": resident("VmHWM") - before, "loss": float(loss.detach())}


def resident(which: str) -> float:
    """MiB of memory this process has (``VmRSS``) or has had at most (``VmHWM``); Linux."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which)]
    return float(line.split()[1]) / 1024


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row for each contestant."""
    floor = min(rows[name]["cpu_s"] for name in FLOOR if name in rows)
    naive = rows["naive"]["extra_mib"] if "naive" in rows else float("nan")
    lines = ["| contestant | CPU s | / floor | wall s | extra MiB | / naive | loss |", "|" + "---|" * 7]
    for name, row in rows.items():
        said = "" if name in FLOOR else f"{row['loss']:.4f}"
        lines.append(
            f"| {name} | {row['cpu_s']:.1f} | {row['cpu_s'] / floor:.2f} | {row['wall_s']:.1f} "
            f"| {row['extra_mib']:.0f} | {row['extra_mib'] / naive:.2f} | {said} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure all in turn, each step in a process of its own, and keep each one's least."""
    parser = argparse.ArgumentParser(prog="python -m experiments.vocabulary_loss", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results.json")
    parser.add_argument(
        "--one", action="store_true", help="the first of --only on the first of --jobs, in this process"
    )
    asked = parser.parse_args()
    torch.set_num_threads(2)
    if asked.one:
        print(json.dumps(measure(asked.jobs[0], asked.only[0])))
        return
    for name in asked.jobs:
        for _ in range(asked.rounds):
            for contestant in asked.only:
                command = [sys.executable, "-m", "experiments.vocabulary_loss", "--one"]
                command += ["--jobs", name, "--only", contestant]
                ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found = json.loads(ended.stdout.splitlines()[-1])
                known = json.loads(asked.results.read_text(encoding="utf-8")) if asked.results.exists() else {}
                row = known.setdefault(name, {}).setdefault(contestant, found)
                known[name][contestant] = {key: min(row[key], value) for key, value in found.items()}
                known[name] = {key: known[name][key] for key in CONTESTANTS if key in known[name]}
                asked.results.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        print(f"\n{name}\n\n{table(known[name])}", flush=True)


if __name__ == "__main__":
    main()
