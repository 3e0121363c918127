"""``read_run``: all that a run's directory holds and its page shows; a file that is damaged becomes a line, never an error."""

import csv
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from slimlit.runs import Run

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader  # in C it is eight times as fast

Table = list[list[str]]
Curve = list[tuple[float, float]]
_MOST = 8 * 2**20  # bytes of a report that are read


@dataclass
class Found:
    """What was found of a run."""

    run: Run
    config: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    reports: dict[str, Any] = field(default_factory=dict)
    """By name, ``test`` of ``reports/test.json``."""
    tables: dict[str, Table] = field(default_factory=dict)
    """By name, ``test-worst`` of ``reports/test-worst.tsv``; the first line is the head."""
    pictures: dict[str, str] = field(default_factory=dict)
    """SVG, by name."""
    pages: list[str] = field(default_factory=list)
    """Pages of the run, as paths from its directory."""
    curves: dict[str, Curve] = field(default_factory=dict)
    """Step and value of each metric that was logged, in the order of steps."""
    ledger: dict[str, Any] | None = None
    statement: str = ""
    problems: list[str] = field(default_factory=list)
    """What could not be read."""

    @property
    def is_private(self) -> bool:
        """Whether the run trains under privacy, so that its texts are shown to nobody."""
        return any(str(one).endswith(".DifferentialPrivacy") for one in self.callbacks())

    def callbacks(self) -> dict[str, dict[str, Any]]:
        """The settings of the run's callbacks, by import path."""
        listed = dig(self.config, "trainer", "callbacks")
        some = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return {str(one.get("class_path")): dig(one, "init_args") or {} for one in some}

    def last(self, metric: str) -> float | None:
        """The last value of a metric that was logged."""
        return self.curves[metric][-1][1] if self.curves.get(metric) else None


def read_run(run: Run) -> Found:
    """Read the run's directory; of ``private/``, checkpoints and weights nothing."""
    found = read_config(run)
    if run.ledger.is_file():
        found.ledger = _as_dict(found, run.ledger, json.loads)
    if (statement := run.student / "PRIVACY.md").is_file():
        found.statement = _text(found, statement)
    if run.metrics.is_file():
        found.curves = _curves(found, run.metrics)
    for path in sorted(run.reports.glob("*")) if run.reports.is_dir() else ():
        if path.suffix == ".json":
            found.reports[path.stem] = _as_dict(found, path, json.loads)
        elif path.suffix == ".tsv":
            found.tables[path.stem] = [line.split("\t") for line in _text(found, path).splitlines()]
        elif path.suffix == ".svg":
            found.pictures[path.stem] = _text(found, path)
    places = [*run.reports.rglob("*.html"), *(run.folder / "attention").glob("index.html")]
    found.pages = sorted(str(page.relative_to(run.folder)) for page in places)
    return found


def read_config(run: Run) -> Found:
    """Its config alone."""
    found = Found(run)
    found.config_text = _text(found, run.config) if run.config.is_file() else ""
    found.config = _as_dict(found, run.config, read_yaml) if found.config_text else {}
    return found


def dig(value: Any, *names: str) -> Any:
    """What lies under those names, one in the other; None where anything on the way is not there."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def dicts(value: Any, name: str) -> list[dict[str, Any]]:
    """The dicts of the list of that name; none where it is no list."""
    listed = dig(value, name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def read_yaml(text: str) -> Any:
    """What a YAML text says."""
    return yaml.load(text, Loader=_LOADER)


def number(value: Any) -> float | None:
    """A finite number, or None where it is anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _text(found: Found, path: Path) -> str:
    try:
        if path.stat().st_size > _MOST and path.suffix != ".csv":
            found.problems.append(f"{_inside(found, path)} is not shown: it is larger than {_MOST // 2**20} MiB")
            return ""
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as problem:
        found.problems.append(f"{_inside(found, path)} could not be read: {str(problem).splitlines()[0]}")
        return ""


def _as_dict(found: Found, path: Path, read: Any) -> dict[str, Any]:
    text = _text(found, path)
    try:
        content = read(text) if text else {}
    except (ValueError, RecursionError, yaml.YAMLError) as problem:
        found.problems.append(f"{_inside(found, path)} is damaged: {str(problem).splitlines()[0]}")
        return {}
    if not isinstance(content, dict):
        found.problems.append(f"{_inside(found, path)} is not what was expected: a {type(content).__name__}")
        return {}
    return content


def _curves(found: Found, path: Path) -> dict[str, Curve]:
    """Each metric with the steps at which it was logged; cells that hold no finite number are left out."""
    text = _text(found, path)
    whole = io.StringIO(text[: text.rfind("\n") + 1], newline="")  # a killed process may leave half a line
    curves: dict[str, Curve] = {}
    try:
        rows = csv.reader(whole)
        head = next(rows, [])
        if "step" not in head:
            raise ValueError("it has no column 'step'")
        at = head.index("step")
        columns: list[Curve] = [[] for _ in head]
        named = [(place, columns[place].append) for place, name in enumerate(head) if name not in ("epoch", "step")]
        for row in rows:
            if len(row) == len(head):
                step = float(row[at])
                for place, add in named:
                    if row[place] and math.isfinite(value := float(row[place])):
                        add((step, value))
        curves = {name: points for name, points in zip(head, columns, strict=True) if points}
    except (ValueError, csv.Error) as problem:
        found.problems.append(f"{_inside(found, path)} is damaged: {problem}")
    return curves


def _inside(found: Found, path: Path) -> str:
    return str(path.relative_to(found.run.folder))
