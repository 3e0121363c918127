"""``python -m experiments.privacy.cost``: a training step with privacy over the same step without, in time and memory."""

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch

from experiments.privacy.cost.contestants import CONTESTANTS
from experiments.privacy.cost.networks import JOBS, Job
from slimlit.tasks.memory import keep_freed_memory


def times(job: Job, names: list[str], num_rounds: int) -> dict[str, dict[str, Any]]:
    """CPU and wall seconds of a step of each contestant, all in turn in this process; why not, where one cannot run."""
    found: dict[str, dict[str, Any]] = {}
    steps = {}
    for name in names:
        torch.manual_seed(0)
        try:
            step = CONTESTANTS[name](job)
            step()
            step()
        except (RuntimeError, ValueError, NotImplementedError, AttributeError) as problem:
            found[name] = {"fails": f"{type(problem).__name__}: {str(problem).splitlines()[0][:90]}"}
            continue
        steps[name] = step
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(num_rounds):
        for name, step in steps.items():
            cpu, wall = time.process_time(), time.perf_counter()
            step()
            taken[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    for name, rounds in taken.items():
        base = taken["plain"]
        found[name] = {
            "cpu_ms": 1e3 * statistics.median(cpu for cpu, _ in rounds),
            "wall_ms": 1e3 * statistics.median(wall for _, wall in rounds),
            "cpu": statistics.median(one[0] / other[0] for one, other in zip(rounds, base, strict=True)),
            "wall": statistics.median(one[1] / other[1] for one, other in zip(rounds, base, strict=True)),
        }
    return found


def memory(job: Job, name: str) -> float:
    """MiB that three steps take at their peak, beyond what the process had before its network was made."""
    before = resident("VmRSS")
    step = CONTESTANTS[name](job)
    for _ in range(3):
        step()
    return resident("VmHWM") - before


def resident(which: str) -> float:
    """MiB of memory this process has (``VmRSS``) or has had at most (``VmHWM``); Linux."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(which)]
    return float(line.split()[1]) / 1024


def table(found: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Markdown: a row for each job and contestant."""
    lines = [
        "| network, batch | contestant | CPU ms | / plain | wall ms | / plain | peak MiB | / plain |",
        "|" + "---|" * 8,
    ]
    for job, rows in found.items():
        for name, row in rows.items():
            if "fails" in row:
                lines.append(f"| {job} | {name} | {row['fails']} | – | – | – | – | – |")
                continue
            over = row["peak_mib"] / rows["plain"]["peak_mib"]
            lines.append(
                f"| {job} | {name} | {row['cpu_ms']:.0f} | {row['cpu']:.2f} | {row['wall_ms']:.0f} | {row['wall']:.2f} "
                f"| {row['peak_mib']:.0f} | {over:.2f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure all, or one contestant's memory in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m experiments.privacy.cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results.json")
    parser.add_argument("--memory-of", choices=CONTESTANTS, help="print one contestant's peak for the first of --jobs")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")  # Opacus' own
    torch.set_num_threads(2)
    keep_freed_memory()
    if asked.memory_of:
        print(memory(JOBS[asked.jobs[0]], asked.memory_of))
        return
    found = {}
    for name in asked.jobs:
        found[name] = times(JOBS[name], asked.only, asked.rounds)
        for contestant, row in found[name].items():
            if "fails" not in row:
                command = [sys.executable, "-m", "experiments.privacy.cost", "--jobs", name, "--memory-of", contestant]
                row["peak_mib"] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(table({name: found[name]}), flush=True)
        known = json.loads(asked.results.read_text(encoding="utf-8")) if asked.results.exists() else {}
        asked.results.write_text(json.dumps(known | found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
