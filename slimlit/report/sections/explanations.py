"""What was found of the run's reasons: what its methods are worth, agreement with the teacher, pages to open."""

from statistics import mean
from typing import Any

from slimlit.report.html import Html, Part, bar, join, quoted, table, tag
from slimlit.report.reading import Found, dig, number
from slimlit.report.sections.anything import show_anything

NAMES = ("explain", "exam", "reasons", "agreement", "heads")


def show_explanations(found: Found) -> Html | None:
    """Grades, agreement and links, as far as there are any."""
    reports = [found.reports[name] for name in found.reports if name.startswith("explain") and found.reports[name]]
    graded = [*reports, found.reports.get("exam", {})]
    grades = next((listed for one in graded if (listed := dicts(one, "grades"))), [])
    agreement = _agreement([example for one in reports for example in dicts(one, "examples")])
    others = [name for name in found.reports if name.split("-")[0] in NAMES[1:] and found.reports[name]]
    parts = [
        _grades(grades) if grades else None,
        agreement,
        *(show_anything(name, found.reports[name]) for name in others if not (name == "exam" and grades)),
        _pages(found),
    ]
    return join(parts) if any(parts) else None


def dicts(value: Any, name: str) -> list[dict[str, Any]]:
    """The dicts of the list of that name."""
    listed = dig(value, name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _grades(grades: list[dict[str, Any]]) -> Html:
    rows: list[list[Part]] = [
        [str(one.get("method")), tag("b", str(one.get("grade"))), quoted(str(one.get("why") or ""))] for one in grades
    ]
    return table(
        "What each method is worth on this network (planted truth, perturbation, random weights)",
        ["method", "grade", "why"],
        rows,
    )


def _agreement(examples: list[dict[str, Any]]) -> Html | None:
    """How alike the maps of student and teacher are: the mean rank correlation of each method."""
    found: dict[str, list[float]] = {}
    for example in examples:
        for answer in dicts(example, "answers"):
            maps = [str(one.get("method")) for one in dicts(answer, "maps")]
            for method, value in zip(maps, dig(answer, "teacher", "correlations") or [], strict=False):
                if number(value) is not None:
                    found.setdefault(method, []).append(float(value))
    if not found:
        return None
    rows: list[list[Part]] = [
        [method, f"{len(values):,}", join([f"{mean(values):.3f} ", bar(mean(values))])]
        for method, values in found.items()
    ]
    return table(
        "Student and teacher give the same reasons: mean rank correlation", ["method", "answers", "correlation"], rows
    )


def _pages(found: Found) -> Html | None:
    links = [tag("li", tag("a", page, href=page)) for page in found.pages]
    return join([tag("h3", "Pages"), tag("ul", *links)]) if links else None
