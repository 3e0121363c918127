"""``table_of`` an exam for a terminal or a README, and ``draw_exam``: its deletion curves, one small frame a method."""

from collections.abc import Mapping, Sequence
from typing import Any

from slimlit.explain.drawing import Drawing, text_width
from slimlit.explain.exam.grades import PARTS, Exam, Grade
from slimlit.explain.exam.intervals import Interval

RANDOM = "random order"
_MARKS = {True: "passed", False: "failed", None: "not tested"}
_GAINS = ("comprehensiveness probability", "sufficiency probability", "comprehensiveness margin", "sufficiency margin")
_SIDE, _HIGH, _GAP = 150.0, 90.0, 26.0


def table_of(exam: Exam) -> str:
    """A Markdown table, a row a method: the three parts, what each gained and found, and what it costs."""
    found = list(next(iter(exam.grades.values())).planted) if exam.grades else []
    depths = list(next(iter(exam.grades.values())).weights) if exam.grades else []
    head = ["method", *PARTS, *(f"found: {name}" for name in found), *_GAINS, *(f"noise: {name}" for name in depths)]
    rows = [[*head, "CPU ms"], ["---"] * (len(head) + 1)]
    for name, grade in exam.grades.items():
        numbers = [*_of(grade.planted, found), *_of(grade.removal, _GAINS), *_of(grade.weights, depths)]
        marks = [_MARKS[grade.passed[part]] for part in PARTS]
        rows.append([name, *marks, *numbers, f"{grade.milliseconds:.1f}"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([*lines, "", *notes_of(exam)])


def notes_of(exam: Exam) -> list[str]:
    """What has to be known beside the numbers."""
    notes = [
        f"{name}: a copy learned it to {one.accuracy:.2f} in {one.num_steps} steps; chance finds {100 * one.chance:.0f} %"
        if one.is_learned
        else f"{name}: not tested, the copy learned it only to {one.accuracy:.2f}"
        for name, one in exam.lessons.items()
    ]
    if exam.noise_chance is not None:
        copies = f"noise: rank correlation without sign over {exam.facts.get('noises')} copies turned to noise"
        notes.append(f"{copies}; random maps have {exam.noise_chance:.2f}")
    notes.append(rests_on(exam.facts))
    return [*notes, f"no word matters to the answer of {100 * exam.default_share:.0f} % of the texts"]


def rests_on(facts: Mapping[str, Any]) -> str:
    """How many texts, copies and draws an exam's grades come from."""
    compared = (
        f"; {facts['compared']} of them compared with {facts.get('noises', 1)} copies of noise"
        if "compared" in facts
        else ""
    )
    return f"it rests on {facts.get('texts', 'unknown')} texts{compared}; one copy a planted truth, seed {facts.get('seed', 'unknown')}"


def summary_of(grade: Grade) -> str:
    """Which parts were passed and failed, in a few words."""
    return ", ".join(f"{part} {_MARKS[passed]}" for part, passed in grade.passed.items())


def _of(numbers: Mapping[str, Interval], names: Sequence[str]) -> list[str]:
    return [str(numbers[name]) if name in numbers else "" for name in names]


def draw_exam(exam: Exam, across: int = 3) -> str:
    """The deletion curves: how likely the answer stays as the strongest words go; the dotted line is random order."""
    drawing = Drawing(2 * 16.0 + across * (_SIDE + 30 + _GAP))
    drawing.lines("What is left of the answer's probability as the strongest words go", 14.0, "strong")
    top = drawing.y + 14
    chance = exam.curves[RANDOM]
    for number, (name, grade) in enumerate(exam.grades.items()):
        column = number % across
        if column == 0 and number:
            top += _HIGH + 62
        x = drawing.margin + 30 + column * (_SIDE + 30 + _GAP)
        _frame(drawing, x, top, exam.shares, chance, exam.curves[name], column == 0)
        drawing.text(x, top - 5, name, 11.0, "strong")
        drawing.text(x, top + _HIGH + 28, _short(grade), 9.5, "muted")
    drawing.y = top + _HIGH + 44
    drawing.lines("across: share of the words taken away; dotted: random order; lower is better", 11.0, "muted")
    return drawing.svg()


def _frame(
    drawing: Drawing, x: float, top: float, shares: list[float], chance: list[float], own: list[float], is_first: bool
) -> None:
    drawing.frame(x, top, _SIDE, _HIGH)
    for curve, kind in ((chance, "line chance"), (own, "line one")):
        points = zip(shares, curve, strict=True)
        drawing.line(
            [(x + _SIDE * share, top + _HIGH * (1 - min(1.0, max(0.0, value)))) for share, value in points], kind
        )
    for value in (0.0, 0.5, 1.0):
        label = f"{100 * value:.0f} %"
        if is_first:
            drawing.text(x - 4, top + _HIGH * (1 - value) + 4, label, 9.0, "muted", anchor="end")
        drawing.text(x + _SIDE * value, top + _HIGH + 12, label, 9.0, "muted", anchor="middle")


def _short(grade: Grade) -> str:
    marks = {True: "\N{CHECK MARK}", False: "\N{BALLOT X}", None: "\N{EN DASH}"}
    text = "  ".join(f"{part} {marks[passed]}" for part, passed in grade.passed.items())
    assert text_width(text, 9.5) < _SIDE + 30 + _GAP
    return text
