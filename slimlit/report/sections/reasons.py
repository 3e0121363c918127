"""``show_reasons``: why an answer of the error browser was given, as ``explain --errors`` found it."""

from typing import Any

from slimlit.report.html import Html, Part, facts, join, quoted, tag
from slimlit.report.reading import Found, dicts, number

_LEVELS = 4


def show_reasons(found: Found, split: str, row: Any) -> Html | None:
    """The words of an example, shaded by how much each spoke for or against the answer; None where nobody asked."""
    for name, report in found.reports.items():
        if name.startswith("explain"):
            for example in dicts(report, "examples"):
                if example.get("name") == f"{split} example {row}":
                    return _drawn(example)
    return None


def show_explained(found: Found) -> Html | None:
    """The answers that ``explain --errors`` chose, with their reasons, where no list of wrong ones was kept."""
    items = []
    for example in dicts(found.reports.get("explain-errors", {}), "examples"):
        answer = next(iter(dicts(example, "answers")), {})
        told = {"label": answer.get("expected"), "student": answer.get("says"), "row": example.get("name")}
        said: list[tuple[str, Part]] = [(name, quoted(str(value))) for name, value in told.items() if value is not None]
        note = tag("p", quoted(str(example["note"])), class_="muted") if example.get("note") else None
        items.append(tag("li", _drawn(example), note, facts(said, "facts line")))
    if not items:
        return None
    head = tag("h3", f"{len(items)} that slimlit explain --errors chose, the surest or worst known first")
    return tag("div", head, tag("ol", *items, class_="errors"), class_="browser")


def _drawn(example: dict[str, Any]) -> Html | None:
    """By the first of its maps; words for the answer and against it look different without colours too."""
    answers = dicts(example, "answers")
    maps = dicts(answers[0], "maps") if answers else []
    if not maps:
        return None
    is_default = bool(answers[0].get("is_default"))
    words, heat = dicts(example, "words"), [number(value) or 0.0 for value in maps[0].get("heat") or []]
    drawn = [abs(value) for word, value in zip(words, heat, strict=False) if not word.get("is_special")]
    full = max(drawn, default=0.0) or 1.0
    parts: list[Part] = []
    for word, value in zip(words, heat, strict=False):
        if not word.get("is_special"):
            level = 0 if is_default else round(_LEVELS * abs(value) / full)
            kind = f"{'p' if value > 0 else 'n'}{level}" if level else None
            parts += [None if word.get("is_glued") else " ", tag("span", str(word.get("text")), class_=kind)]
    grade = f", grade {maps[0]['grade']}" if maps[0].get("grade") else ""
    how = f"shaded: for the answer; dotted: against it; by {maps[0].get('method')}{grade}"
    said = "no word matters here: it is the answer of an empty text too" if is_default else how
    return join([tag("p", join(parts), class_="reasons", dir="auto"), tag("p", said, class_="muted")])
