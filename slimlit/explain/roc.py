"""``draw_roc``: how well attacks tell members from others, on logarithmic axes, where few false alarms are what counts."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from slimlit.explain.drawing import Drawing

Curve = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]
KINDS = ("line one", "line two", "line three", "line four")
CHANCE, LIMIT = "line chance", "line limit"
_SIDE, _LEFT, _LABEL = 420.0, 62.0, 11.0


def draw_roc(
    title: str, curves: Mapping[str, Curve], limit: tuple[str, Curve] | None, caption: Sequence[str], decades: int
) -> str:
    """False-positive rate across, true-positive rate upwards, both from ``10 ** -decades`` to 1.

    Args:
        title: first line.
        curves: false- and true-positive rates of each threshold, by the attack's name; four at most.
        limit: the name and the curve that no attack may pass.
        caption: last lines.
        decades: powers of ten on each axis.
    """
    drawing = Drawing(_SIDE + _LEFT + 44)
    drawing.lines(title, 15.0, "strong")
    left, top = drawing.margin + _LEFT, drawing.y + 10
    low = 10.0**-decades

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (1 + math.log10(max(value, low)) / decades for value in (x, y))
        return left + _SIDE * across, top + _SIDE * (1 - up)

    for power in range(decades + 1):
        value = 10.0**-power
        at, height = place(value, value)
        drawing.line([(at, top), (at, top + _SIDE)], "grid")
        drawing.line([(left, height), (left + _SIDE, height)], "grid")
        drawing.text(at, top + _SIDE + 16, f"{100 * value:g} %", _LABEL, "muted", anchor="middle")
        drawing.text(left - 7, height + 4, f"{100 * value:g} %", _LABEL, "muted", anchor="end")
    drawing.frame(left, top, _SIDE, _SIDE)
    drawing.text(
        left + _SIDE / 2,
        top + _SIDE + 36,
        "others taken for members (false positives; at the left edge none)",
        12.0,
        anchor="middle",
    )
    drawing.text(drawing.margin + 12, top + _SIDE / 2 + 70, "members found (true positives)", 12.0, turned=True)
    drawing.line([place(low, low), place(1.0, 1.0)], CHANCE)
    if limit is not None:
        drawing.line([place(*point) for point in zip(*limit[1], strict=True)], LIMIT)
    for kind, (false, true) in zip(KINDS, curves.values(), strict=False):
        steps = zip(np.repeat(false, 2)[1:].tolist(), np.repeat(true, 2)[:-1].tolist(), strict=True)
        drawing.line(_apart([place(*point) for point in steps]), kind)
    drawing.y = top + _SIDE + 50
    shown = [*zip(KINDS, curves, strict=False), *([] if limit is None else [(LIMIT, limit[0])]), (CHANCE, "chance")]
    for kind, name in shown:
        drawing.line([(left, drawing.y + 7), (left + 34, drawing.y + 7)], kind)
        drawing.text(left + 42, drawing.y + 11, name, 12.0)
        drawing.y += 18
    drawing.y += 6
    for line in caption:
        drawing.lines(line, 12.0, "muted")
    return drawing.svg()


def _apart(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points without those that the eye cannot tell from the one before."""
    kept = points[:1]
    for point in points[1:]:
        if max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) >= 0.25:
            kept.append(point)
    return kept if points[-1:] == kept[-1:] else [*kept, points[-1]]
