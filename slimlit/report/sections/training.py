"""Losses and metrics over the steps of training."""

from slimlit.explain.curves import draw_curves
from slimlit.explain.drawing import inline
from slimlit.report import metrics
from slimlit.report.html import Html, Part, details, facts, join, table, tag
from slimlit.report.reading import Curve, Found, dig

_MOST_ROWS = 40
_ELSEWHERE = ("explanations/", "attention/")  # shown with the explanations
_LATE = ("lr", "examples_per_second", "epsilon")


def show_training(found: Found) -> Html | None:
    """A small picture for each metric, its splits in one; the scores of each validation as a table."""
    curves = {name: points for name, points in found.curves.items() if not name.startswith(_ELSEWHERE)}
    if not curves:
        return None
    return join([facts(_settings(found), "facts row"), show_curves(curves), _validations(curves)])


def show_curves(curves: dict[str, Curve]) -> Html:
    """A picture for each metric, its splits in one; the parts of the loss in one too."""
    charts: dict[str, dict[str, Curve]] = {}
    for name, points in curves.items():
        split, _, kind = name.partition("/")
        is_part = kind.startswith("loss_")
        charts.setdefault("loss, by part" if is_part else kind, {})[kind[5:] if is_part else split] = points
    order = sorted(charts, key=lambda kind: (kind in _LATE, not kind.startswith("loss")))
    return tag("div", *(tag("figure", _drawn(kind, charts[kind])) for kind in order), class_="charts")


def _drawn(kind: str, curves: dict[str, Curve]) -> Html:
    values = [value for points in curves.values() for _, value in points]
    logarithmic = kind in ("loss", "perplexity") and min(values) > 0 and max(values) > 50 * min(values)
    title = metrics.name(kind) + (", logarithmic" if logarithmic else "")
    svg = draw_curves(
        title, curves, lambda value: metrics.shown(kind, value).replace(".0 %", " %"), logarithmic=logarithmic
    )
    said = "; ".join(
        f"{name} from {metrics.shown(kind, points[0][1])} at step {points[0][0]:,.0f}"
        f" to {metrics.shown(kind, points[-1][1])} at step {points[-1][0]:,.0f}"
        for name, points in curves.items()
    )
    return Html(inline(svg, f"{title}: {said}"))


def _settings(found: Found) -> list[tuple[str, Part]]:
    trainer, data = dig(found.config, "trainer") or {}, dig(found.config, "data", "init_args") or {}
    steps = max((points[-1][0] for points in found.curves.values() if points), default=0)
    said = [
        ("steps", f"{steps + 1:,.0f}"),
        ("epochs", trainer.get("max_epochs")),
        ("examples in a batch", data.get("batch_size")),
        ("precision", trainer.get("precision")),
        ("warm-up", dig(found.config, "model", "init_args", "warmup")),
        ("seed", found.config.get("seed_everything")),
    ]
    return [(name, str(value)) for name, value in said if value is not None]


def _validations(curves: dict[str, Curve]) -> Html | None:
    scores = {name: dict(points) for name, points in curves.items() if name.startswith("validation/")}
    steps = sorted({step for points in scores.values() for step in points})
    if not steps:
        return None
    rows: list[list[Part]] = []
    for step in steps[-_MOST_ROWS:]:
        cells = [metrics.shown(name, points[step]) if step in points else "-" for name, points in scores.items()]
        rows.append([f"{step:,.0f}", *cells])
    last = f"; the last {_MOST_ROWS}" if len(steps) > _MOST_ROWS else ""
    head = ["step", *(metrics.name(name) for name in scores)]
    return details(f"the numbers of {len(steps)} validations{last}", table("Each validation", head, rows))
