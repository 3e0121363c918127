"""``bench_run``: measure a finished run's teacher, student and exports, and write table, picture and report."""

import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

from slimlit import runs
from slimlit.bench.contestants import contestants_of
from slimlit.bench.measuring import measure, plan
from slimlit.bench.picture import draw_bench
from slimlit.bench.result import table
from slimlit.bench.texts import write_texts
from slimlit.data import TextModule
from slimlit.models.sources import read_config
from slimlit.runs import Run
from slimlit.tasks.base import Task

_MOST_TEXTS = 1000


def bench_run(run: Run, task: Task, data: TextModule, config: dict[str, Any], quick: bool, watts: float) -> str:
    """What is printed; ``reports/bench.json`` and ``reports/bench.svg`` are written.

    Args:
        run: finished.
        task: of the run.
        data: of the run; its validation texts say how right each contestant is.
        config: as the run was trained.
        quick: a coarse answer in seconds: short texts, one thread, few of them.
        watts: of one busy core, for the estimate of energy.

    Raises:
        ValueError: nothing can be measured.
    """
    told: list[str] = []
    contestants, missing = contestants_of(run, config, task.kind, _labels(data, told))
    longest = min(128, _positions(run))
    todo = plan(quick, longest, watts)
    with tempfile.TemporaryDirectory() as folder:
        texts, num_texts = Path(folder) / "texts.npz", 0
        if "validation" in data.splits:
            num_texts = write_texts(data.splits["validation"], texts, _MOST_TEXTS // 8 if quick else _MOST_TEXTS)
        found, failed = measure(contestants, texts if num_texts else None, todo)
    told += [*missing, *failed]
    if not found:
        raise ValueError("\n".join(["nothing could be measured", *told]))
    about = {
        "processor": _processor(), "cores": os.cpu_count(), "system": platform.platform(), "load before": os.getloadavg()[0],
        "validation texts": num_texts, "quick": quick, "watts assumed": watts, "not measured": told,
    }  # fmt: skip
    report = {**about, "contestants": [one.report(watts) for one in found]}
    runs.write(run.reports / "bench.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    caption = f"{run.name}: {num_texts} validation texts; medians of turns on {about['processor']}."
    runs.write(run.reports / "bench.svg", draw_bench(f"{run.name}: right, small, fast", found, caption))
    lines = [table(found, watts), *(f"not measured: {line}" for line in told)]
    return "\n".join([*lines, f"report: {run.reports / 'bench.json'}, {run.reports / 'bench.svg'}"])


def _labels(data: TextModule, told: list[str]) -> list[str]:
    """The classes; the validation texts are read where they are there."""
    try:
        data.setup("validate")
    except ValueError as problem:
        told.append(f"how right each is: {str(problem).splitlines()[0]}")
    return list(data.labels)


def _positions(run: Run) -> int:
    """Tokens that the student can read at most."""
    whole = read_config(str(run.folder)).to_dict()
    whole = {**whole, **(whole.get("encoder") or {})}
    return int(whole.get("max_position_embeddings") or whole.get("n_positions") or 128)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
