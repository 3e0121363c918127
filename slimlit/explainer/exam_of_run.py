"""The exam of a run's methods: made on its student, kept with its reports, read back as grades."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from slimlit.explain.records import Grade
from slimlit.runs import Run
from slimlit.tasks.base import Task

FILE = "exam.json"


def make_exam(run: Run, task: Task, data: Any, names: Sequence[str], device: torch.device) -> str:
    """Grade the methods on the run's student; keep what was found, and say it as a table."""
    raise ValueError("not yet")


def read_grades(run: Run) -> list[Grade] | None:
    """The grades of the run's methods; None where no exam was made.

    Raises:
        ValueError: they are damaged.
    """
    file = run.reports / FILE
    if not file.is_file():
        return None
    try:
        return [Grade(**one) for one in json.loads(file.read_text(encoding="utf-8"))["grades"]]
    except (ValueError, KeyError, TypeError) as problem:
        raise ValueError(f"{file} is damaged: {problem}\nmake it again: slimlit explain --run {run.short_name} --exam") from problem
