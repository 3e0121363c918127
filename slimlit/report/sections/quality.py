"""Scores of validation and test, beside the teacher's; what is taken for what; how sure it is; each kind of entity."""

import json
from typing import Any

import numpy as np

from slimlit.explain.calibration import Bin, draw_calibration
from slimlit.explain.confusion import draw_confusion
from slimlit.explain.drawing import inline
from slimlit.report import metrics
from slimlit.report.html import Html, Part, bar, facts, join, table, tag
from slimlit.report.reading import Found, Table, number
from slimlit.report.relatives import as_run, teacher_source

_MOST_CLASSES = 16  # of a confusion matrix that is drawn; of more the most frequent mistakes are listed
_MOST_MISTAKES = 15


def show_quality(found: Found) -> Html | None:
    """All of it, as far as it was measured."""
    splits = ("test", "validation")
    drawn = [show(found, split) for show in (_calibration, _confusion, _entities) for split in splits]
    pictures = tag("div", *drawn, class_="pictures") if any(drawn) else None
    parts = [_scores(found), _rules(found), pictures]
    return join(parts) if any(parts) else None


def scores_of(found: Found, split: str) -> dict[str, float]:
    """The scores of the finished student on a split, or for validation those at the end of training."""
    report = found.reports.get("validate" if split == "validation" else split, {})
    scores = {name: value for name, one in report.items() if (value := number(one)) is not None}
    if not scores and split == "validation":
        scores = {name: points[-1][1] for name, points in found.curves.items() if name.startswith("validation/")}
    return {name.partition("/")[2]: value for name, value in scores.items() if "/" in name}


def teacher_scores(found: Found) -> dict[str, float]:
    """The teacher's scores on the same test texts, where it is a run that was tested on them."""
    run = as_run(found, teacher_source(found))
    if run is None:
        return {}
    mine, theirs = found.reports.get("data-test", {}), _read(run.reports / "data-test.json")
    if not mine.get("test file") or mine.get("test file") != theirs.get("test file"):
        return {}
    scores = {name: number(value) for name, value in _read(run.reports / "test.json").items()}
    return {
        name.partition("/")[2]: value
        for name, value in scores.items()
        if value is not None and not name.endswith("/loss")  # it learned by another one
    }


def _read(path: Any) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _scores(found: Found) -> Html | None:
    test, validation, teacher = scores_of(found, "test"), scores_of(found, "validation"), teacher_scores(found)
    names = list(dict.fromkeys([*test, *validation]))
    if not names:
        return None
    columns: dict[str, dict[str, float]] = {"validation": validation, "test": test, "teacher's test": teacher}
    columns = {name: scores for name, scores in columns.items() if scores}
    rows: list[list[Part]] = []
    for name in names:
        row: list[Part] = [metrics.name(name)]
        row += [metrics.shown(name, scores[name]) if name in scores else "-" for scores in columns.values()]
        if teacher:
            has_share = metrics.is_score(name) and teacher.get(name) and name in test
            row.append(f"{100 * test[name] / teacher[name]:.1f} %" if has_share else "-")
        rows.append(row)
    head = ["", *columns, *(["share of the teacher's"] if teacher else [])]
    own = "validate" in found.reports
    caption = "Scores" if own or "validation" not in columns else "Scores; of validation those at the end of training"
    return table(caption, head, rows)


def _calibration(found: Found, split: str) -> Html | None:
    listed = found.reports.get(f"{split}-calibration", {}).get("bins")
    bins = [Bin(**one) for one in listed or []]
    if not bins:
        return None
    title = f"{split}: how often the student is right"
    said = "; ".join(f"{one.examples:,} of {one.confidence:.0%}: {one.accuracy:.0%} right" for one in bins)
    return tag("figure", Html(inline(draw_calibration(title, bins), f"{title}, by confidence: {said}")))


def _confusion(found: Found, split: str) -> Html | None:
    lines = found.tables.get(f"{split}-confusion", [])
    if len(lines) < 2:
        return None
    labels = [line[0] for line in lines[1:]]
    counts = np.asarray([[int(cell) for cell in line[1:]] for line in lines[1:]], dtype=np.int64)
    if counts.shape != (len(labels), len(labels)):
        raise ValueError(f"reports/{split}-confusion.tsv has {counts.shape} counts of {len(labels)} labels")
    if len(labels) > _MOST_CLASSES:
        return _mistakes(split, labels, counts)
    title = f"{split}: what the student says"
    said = "; ".join(
        f"{label}: {counts[row, row]:,} of {counts[row].sum():,} right" for row, label in enumerate(labels)
    )
    return tag("figure", Html(inline(draw_confusion(counts, labels, title), f"{title}; {said}")))


def _mistakes(split: str, labels: list[str], counts: Any) -> Html:
    wrong = counts * (1 - np.eye(len(labels), dtype=np.int64))
    places = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_MISTAKES]
    rows: list[list[Part]] = []
    for place in places.tolist():
        label, said = divmod(place, len(labels))
        if wrong[label, said]:
            rows.append([labels[label], labels[said], f"{wrong[label, said]:,}", f"{counts[label].sum():,}"])
    right = f"{int(np.trace(counts)):,} of {int(counts.sum()):,} right"
    return table(f"{split}: the most frequent mistakes ({right})", ["label", "student", "texts", "of the label"], rows)


def _entities(found: Found, split: str) -> Html | None:
    lines: Table = found.tables.get(f"{split}-entities", [])
    if len(lines) < 2:
        return None
    rows: list[list[Part]] = []
    for kind, precision, recall, f1, support in lines[1:]:
        shares = [f"{100 * float(one):.1f} %" for one in (precision, recall)]
        rows.append([kind, *shares, join([f"{100 * float(f1):.1f} % ", bar(float(f1))]), f"{int(support):,}"])
    return table(f"{split}: entities found, whole spans", ["type", "precision", "recall", "F1", "entities"], rows)


def _rules(found: Found) -> Html | None:
    signatures = found.reports.get("test-signatures") or found.reports.get("validation-signatures") or {}
    return (
        facts((f"{metrics.name(name)} is", tag("code", str(said))) for name, said in signatures.items())
        if signatures
        else None
    )
