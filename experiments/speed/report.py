"""Tables of what was measured, and the file that keeps it with its circumstances."""

import datetime
import json
import os
import platform
import statistics
from importlib.metadata import version
from pathlib import Path
from typing import Any

from experiments.speed.contestants import Found

PACKAGES = ("torch", "lightning", "transformers")


def circumstances(command: str) -> dict[str, Any]:
    """Date, machine, versions and command."""
    cpus = [line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": cpus[0] if cpus else platform.processor(),
        "cores": os.cpu_count(),
        "load before": os.getloadavg()[1],
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "command": command,
    }


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []


def keep(file: Path, part: str, results: dict[str, Any]) -> None:
    """Put the results beside those of the other part."""
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**before, part: results}, indent=1) + "\n", encoding="utf-8")


def later_epoch(runs: list[dict[str, Any]]) -> float:
    """CPU seconds of an epoch from the second on, median."""
    return float(statistics.median(epoch for run in runs for epoch in run["epochs"][1:] or run["epochs"]))


def middle(runs: list[dict[str, Any]], key: str) -> float:
    """The median over rounds."""
    return float(statistics.median(run[key] for run in runs))


def job_table(found: Found) -> str:
    """One row a contestant, medians over rounds; CPU seconds."""
    lines = [
        "| contestant | first epoch | later epoch | / floor | / plain floor | before the first | whole job | / slimlit | accuracy | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    floors = [later_epoch(found[name]) if name in found else None for name in ("floor", "floor-plain")]
    ours = middle(found["slimlit"], "whole") if "slimlit" in found else None
    for name, runs in found.items():
        epoch, whole = later_epoch(runs), middle(runs, "whole")
        ratios = [f"{epoch / floor:.2f}" if floor else "" for floor in floors]
        first = statistics.median(run["epochs"][0] for run in runs)
        cells = [name, f"{first:.2f}", f"{epoch:.2f}", *ratios, f"{middle(runs, 'before_first_epoch'):.2f}"]
        cells += [f"{whole:.2f}", f"{whole / ours:.2f}" if ours else ""]
        cells += [f"{middle(runs, 'accuracy'):.3f}", f"{middle(runs, 'peak_mib'):.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def steps_table(found: Found) -> str:
    """One row a contestant, size and precision."""
    lines = [
        "| network, precision | contestant | CPU ms | / bare | wall ms | / bare |",
        "|---|---|---|---|---|---|",
    ]
    for number, bare in enumerate(found["bare"]):
        for name, runs in found.items():
            run = runs[number]
            cells = [f"{run['size']}, {run['precision']}", name]
            for clock in ("cpu_ms", "wall_ms"):
                cells += [f"{run[clock]:.1f}", f"{run[clock] / bare[clock]:.2f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
