"""What was found of the run's reasons: what its methods are worth, how they went over training, agreement with the teacher."""

from statistics import mean
from typing import Any

from slimlit.report.html import Html, Part, bar, details, facts, join, quoted, table, tag
from slimlit.report.reading import Found, dicts, dig, number
from slimlit.report.sections.pictures import picture
from slimlit.report.sections.training import show_curves

NAMES = ("explain", "exam", "explanations")
_PARTS = ("planted truth", "removal", "weights")
_NUMBERS = {"planted truth": "planted", "removal": "removal", "weights": "weights"}


def show_explanations(found: Found) -> Html | None:
    """Grades, agreement, curves and links, as far as there are any."""
    listed = [
        example
        for name, report in found.reports.items()
        if name.startswith("explain")
        for example in dicts(report, "examples")
    ]
    curves = {name: points for name, points in found.curves.items() if name.startswith(("explanations/", "attention/"))}
    parts = [
        _exam(found),
        _agreement(listed),
        _over_training(found),
        show_curves(curves) if curves else None,
        _pages(found),
    ]
    return join(parts) if any(parts) else None


def _exam(found: Found) -> Html | None:
    """Three marks a method, never one number."""
    exam = found.reports.get("exam", {})
    grades = dig(exam, "grades")
    if not isinstance(grades, dict) or not grades:
        return None
    rows: list[list[Part]] = []
    for method, grade in grades.items():
        milliseconds = number(dig(grade, "milliseconds"))
        marks = [_mark(dig(grade, "passed", part), dig(grade, _NUMBERS[part])) for part in _PARTS]
        rows.append([str(method), *marks, f"{milliseconds:.1f} ms" if milliseconds is not None else "-"])
    default = number(exam.get("default_share"))
    said = f"No word matters to the answer of {100 * default:.0f} % of the texts." if default is not None else None
    texts, compared, noises, seed = (dig(exam, "facts", name) for name in ("texts", "compared", "noises", "seed"))
    basis = f"It rests on {texts} texts; {compared} of them compared with {noises} copies of noise; seed {seed}."
    drawn = found.pictures.get("exam")
    return join(
        [
            table("The exam of the methods on this network", ["method", *_PARTS, "of CPU a text"], rows),
            tag(
                "p",
                "Planted truth: what it finds of the words that decide. Removal: what the answer loses without the strongest words, more than without random ones. Weights: how much it stays as it is when the weights become noise (less is better).",
                class_="muted",
            ),
            tag("p", said) if said else None,
            tag("p", basis, class_="muted") if texts is not None else None,
            details("deletion curves", picture(drawn, "what is left of the answer as the strongest words go"))
            if drawn
            else None,
        ]
    )


def _mark(passed: Any, intervals: Any) -> Html:
    """Passed, failed or not tested, with the means behind it."""
    means = [value for one in (intervals or {}).values() if (value := number(dig(one, "mean"))) is not None]
    word, kind = {True: ("passed", "good"), False: ("failed", "bad")}.get(passed, ("not tested", "muted"))
    return join([tag("b", word, class_=kind), " " + " ".join(f"{value:.2f}" for value in means)])


def _agreement(examples: list[dict[str, Any]]) -> Html | None:
    """How alike the maps of student and teacher are: the mean rank correlation of each method."""
    found: dict[str, list[float]] = {}
    for example in examples:
        for answer in dicts(example, "answers"):
            methods = [str(one.get("method")) for one in dicts(answer, "maps")]
            for method, value in zip(methods, dig(answer, "teacher", "correlations") or [], strict=False):
                if (known := number(value)) is not None:
                    found.setdefault(method, []).append(known)
    if not found:
        return None
    rows: list[list[Part]] = [
        [method, f"{len(values):,}", join([f"{mean(values):.3f} ", bar(mean(values))])]
        for method, values in found.items()
    ]
    return table(
        "Reasons of student and teacher: rank correlation, of the texts explained", ["method", "answers", "mean"], rows
    )


def _over_training(found: Found) -> Html | None:
    """The last of what the callback ``Explanations`` measured, with its intervals."""
    report = found.reports.get("explanations", {})
    history = dicts(report, "history")
    if not history:
        return None
    rows: list[list[Part]] = []
    for name, one in history[-1].items():
        middle, low, high = (number(dig(one, key)) for key in ("mean", "low", "high"))
        if middle is not None:
            between = f"{low:+.3f} to {high:+.3f}" if low is not None and high is not None else "-"
            rows.append([name.replace("_", " "), f"{middle:+.3f}", between])
    said = [(name, quoted(str(report[name]))) for name in ("method", "texts", "about") if name in report]
    return join(
        [table(f"Reasons at step {history[-1].get('step')}", ["", "mean", "95 %"], rows), facts(said, "facts line")]
    )


def _pages(found: Found) -> Html | None:
    links = [tag("li", tag("a", page, href=page)) for page in found.pages]
    return join([tag("h3", "Pages"), tag("ul", *links)]) if links else None
