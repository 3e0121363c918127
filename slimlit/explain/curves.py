"""``draw_curves``: numbers over the steps of training, a small picture for each metric."""

import math
from collections.abc import Callable, Mapping, Sequence

from slimlit.explain.drawing import Drawing, text_width

Points = Sequence[tuple[float, float]]
KINDS = ("one", "two", "three", "four")
_WIDTH, _HEIGHT, _LEFT, _LABEL = 268.0, 130.0, 46.0, 11.0
_MOST = 200  # points of a line; more cannot be told apart on so small a picture
_FEW = 30  # points that are drawn as dots too


def draw_curves(
    title: str, curves: Mapping[str, Points], shown: Callable[[float], str], *, logarithmic: bool = False
) -> str:
    """Steps across, values upwards; a line of many points is drawn through the means of neighbours.

    Args:
        title: first line.
        curves: finite points, by the line's name; the first four are drawn.
        shown: a value as it is written on the axis.
        logarithmic: the axis of the values; they are above 0.
    """
    drawn = {name: _thinned(points) for name, points in list(curves.items())[: len(KINDS)] if points}
    drawing = Drawing(_WIDTH + _LEFT + 26, margin=8.0)
    drawing.lines(title, 13.0, "strong")
    _legend(drawing, list(drawn))
    left, top = drawing.margin + _LEFT, drawing.y + 8
    steps = [x for points in drawn.values() for x, _ in points]
    values = [math.log10(y) if logarithmic else y for points in drawn.values() for _, y in points]
    marks = (_decades if logarithmic else ticks)(min(values), max(values), 4)
    low, high = min(*values, marks[0]), max(*values, marks[-1])
    first, last = min(steps), max(steps)

    def place(x: float, y: float) -> tuple[float, float]:
        height = math.log10(y) if logarithmic else y
        across = (x - first) / (last - first) if last > first else 0.5
        return left + _WIDTH * across, top + _HEIGHT * (1 - (height - low) / (high - low))

    for mark in marks:
        value = 10.0**mark if logarithmic else mark
        y = place(first, value)[1]
        drawing.line([(left, y), (left + _WIDTH, y)], "grid")
        drawing.text(left - 5, y + 4, shown(value), _LABEL, "muted", anchor="end")
    drawing.line([(left, top + _HEIGHT), (left + _WIDTH, top + _HEIGHT)], "grid")
    _steps(drawing, first, last, left, top + _HEIGHT)
    for kind, (name, points) in zip(KINDS, drawn.items(), strict=False):
        drawing.line([place(*point) for point in points], f"line {kind}")
        for point in points if len(points) <= _FEW else ():
            drawing.dot(*place(*point), f"line {kind}", f"{name}, step {point[0]:,.0f}: {shown(point[1])}")
    drawing.y = top + _HEIGHT + 20
    return drawing.svg()


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from below ``low`` to above ``high``, at most ``most`` steps apart."""
    spread = (high - low) or abs(high) or 1.0
    unit = 10.0 ** math.floor(math.log10(spread / most))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10, 20) if unit * factor * most >= spread)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _decades(low: float, high: float, most: int) -> list[float]:
    """Logarithms of round numbers around a range: powers of ten, and where that is few, 2 and 5 of each."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    fine = [power + math.log10(factor) for power in powers for factor in (1, 2, 5)]
    first = max((place for place, mark in enumerate(fine) if mark <= low + 1e-9), default=0)
    last = next((place for place, mark in enumerate(fine) if mark >= high - 1e-9), len(fine) - 1)
    inside = fine[first : last + 1]
    return inside if len(inside) <= most + 1 else [float(power) for power in powers]


def _thinned(points: Points) -> Points:
    """At most a few hundred points, each the mean of its neighbours."""
    size = math.ceil(len(points) / _MOST)
    if size <= 1:
        return points
    parts = [points[start : start + size] for start in range(0, len(points), size)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def _legend(drawing: Drawing, names: Sequence[str]) -> None:
    x = drawing.margin
    for kind, name in zip(KINDS, names, strict=False):
        width = text_width(name, _LABEL) + 34
        if x + width > drawing.width - drawing.margin and x > drawing.margin:
            x, drawing.y = drawing.margin, drawing.y + 15
        drawing.line([(x, drawing.y + 8), (x + 18, drawing.y + 8)], f"line {kind}")
        drawing.text(x + 23, drawing.y + 12, name, _LABEL, "muted")
        x += width
    drawing.y += 16


def _steps(drawing: Drawing, first: float, last: float, left: float, base: float) -> None:
    ends = [(first, left, "start")] if first == last else [(first, left, "start"), (last, left + _WIDTH, "end")]
    for step, x, anchor in ends:
        drawing.text(x, base + 15, f"{'step ' if x == left else ''}{step:,.0f}", _LABEL, "muted", anchor=anchor)
