"""What was read, what was left out and cut, and the splits."""

from typing import Any

from slimlit.report.html import Html, Part, bar, details, facts, join, table, tag
from slimlit.report.reading import Found, number

_SPLITS = ("train", "validation", "test", "predict")
_MOST_LABELS = 12


def show_data(found: Found) -> Html | None:
    """A column for each split, a line for each thing that was counted of it."""
    report: dict[str, Any] = {}
    for name in ("data", "data-validate", "data-test", "data-predict"):
        report = {**found.reports.get(name, {}), **report}
    splits = {name: counts for name in _SPLITS if (counts := _counts(report, name))}
    if not splits:
        return None
    if found.is_private and "train" in splits:  # the number of units counts as public, what stands in them does not
        splits["train"] = {
            name: splits["train"][name] for name in ("source", "rows", "examples") if name in splits["train"]
        }
    names = dict.fromkeys(name for counts in splits.values() for name in counts if name != "source")
    plain = [name for name in names if not any(isinstance(counts.get(name), dict | list) for counts in splits.values())]
    rows = [[name, *(_cell(counts.get(name)) for counts in splits.values())] for name in plain]
    others = [
        (name, _cell(value)) for name, value in report.items() if number(value) is not None and not found.is_private
    ]
    counted = [name for name in names if any(_is_counts(counts.get(name)) for counts in splits.values())]
    labels = [tag("div", _labels(name, splits)) for name in counted]
    hidden = "Of the training texts of a private run their number alone is shown." if found.is_private else None
    return join(
        [
            facts(
                (f"{name} from", tag("code", str(counts["source"])))
                for name, counts in splits.items()
                if "source" in counts
            ),
            tag(
                "div",
                tag("div", table("What was read", ["", *splits], rows), facts(others) if others else None),
                *labels,
                class_="columns",
            ),
            tag("p", hidden, class_="muted") if hidden else None,
        ]
    )


def _counts(report: dict[str, Any], split: str) -> dict[str, Any]:
    parts = [report.get(f"{split} file"), report.get(split)]
    return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    count = number(value)
    if count is None:
        return str(value)
    return f"{count:,.0f}" if count == int(count) else f"{100 * count:.1f} %" if count < 1 else f"{count:,.4g}"


def _is_counts(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(number(one) is not None for one in value.values())


def _labels(name: str, splits: dict[str, dict[str, Any]]) -> Html:
    """How the labels are distributed, the most frequent first."""
    counts = {split: part[name] for split, part in splits.items() if _is_counts(part.get(name))}
    totals = {split: sum(part.values()) or 1 for split, part in counts.items()}
    first = next(iter(counts))
    labels = sorted({label for part in counts.values() for label in part}, key=lambda one: -counts[first].get(one, 0))
    rows: list[list[Part]] = []
    for label in labels:
        row: list[Part] = [label]
        for split, part in counts.items():
            share = part.get(label, 0) / totals[split]
            row += [f"{part.get(label, 0):,}", join([f"{100 * share:.1f} % ", bar(share)])]
        rows.append(row)
    head = [name.removesuffix("s"), *(title for split in counts for title in (split, "share"))]
    shown = table(f"{name[:1].upper()}{name[1:]} of each split", head, rows[:_MOST_LABELS])
    rest = rows[_MOST_LABELS:]
    return join([shown, details(f"{len(rest)} more {name}", table(f"more {name}", head, rest)) if rest else None])
