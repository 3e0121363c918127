"""The exam of a run's methods: taken on its student and texts it did not train on, kept with its reports, read back as grades."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch

from slimlit import runs
from slimlit.explain.exam import Exam, draw_exam, examine, table_of
from slimlit.explain.exam.table import rests_on, summary_of
from slimlit.explain.question import removable
from slimlit.explain.records import Grade
from slimlit.explainer.asked import Asked, Wanted, chunks, on_device, units_of
from slimlit.explainer.explanation import ask, chosen_methods, load_networks, read_wanted
from slimlit.explainer.networks import blank_of
from slimlit.models.tokenizers import special_ids
from slimlit.runs import Run
from slimlit.tasks.base import Task

NUM_TEXTS = 100


def take_exam(run: Run, task: Task, data: Any, wanted: Wanted, names: Sequence[str], device: torch.device) -> str:
    """Grade the methods on the run's student; keep what was found as ``exam.json`` and ``exam.svg``, and say it as a table.

    Of a file's texts, or those of a split, the first hundred; of each, its first answer.

    Raises:
        ValueError: no text has an answer.
    """
    texts = Wanted(file=wanted.file, split=wanted.split, num_examples=NUM_TEXTS)
    name, rows, _ = read_wanted(data, texts, task)
    student, _ = load_networks(task, data, device, [], with_teacher=False)
    methods = chosen_methods(student, task, data, names or ["all"])
    asked = [first_question(one) for one in ask(student, task, data, name, rows, texts) if one.questions]
    if not asked:
        raise ValueError(f"no exam: the student answers nothing on these {len(rows)} texts")
    (whole,) = chunks(asked, task.kind, int(data.tokenizer.pad_token_id or 0), num_tokens=None)
    chunk = on_device(whole, device)
    may_go = removable(chunk.batch, chunk.question, special_ids(data.tokenizer))
    units = units_of([asked[number] for number, _ in chunk.where], chunk.batch).to(device)
    facts = {"run": run.name, "texts of": wanted.file or name, "kind": task.kind, "weights": weights_of(run)}
    blank = blank_of(task.kind, data.tokenizer)
    exam = examine(student, chunk.batch, chunk.question, methods, may_go, units, blank, facts=facts)
    runs.write(run.reports / "exam.json", exam.to_json())
    runs.write(run.reports / "exam.svg", draw_exam(exam))
    return f"\n{table_of(exam)}\n\nexam: {run.reports / 'exam.json'}, {run.reports / 'exam.svg'}"


def weights_of(run: Run) -> str:
    """One hash of the student's weights: an exam is of these and no others."""
    digest = hashlib.sha256()
    for file in sorted(run.student.glob("*.safetensors")):
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def first_question(asked: Asked) -> Asked:
    """The example with its first question alone."""
    return Asked(asked.name, asked.batch, asked.words, asked.questions[:1], asked.hidden, asked.sides, asked.note)


def read_grades(run: Run) -> list[Grade] | None:
    """The grades of the run's methods; None where no exam was taken of the student as it is now.

    Raises:
        ValueError: the file is damaged.
    """
    file = run.reports / "exam.json"
    if not file.is_file():
        return None
    try:
        exam = Exam.from_json(file.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{file}: {problem}") from problem
    if exam.facts.get("weights") != weights_of(run):
        return None
    return [Grade(name, summary_of(grade), str(grade), rests_on(exam.facts)) for name, grade in exam.grades.items()]
