"""``draw_bench``: how right each contestant is against its size and against its latency, side by side."""

import math
from collections.abc import Callable, Sequence

from slimlit.bench.result import Measured, Setting
from slimlit.explain.drawing import Drawing, text_width

_SIDE, _GAP, _LEFT, _SIZE = 330.0, 60.0, 60.0, 11.0


def draw_bench(title: str, all_of_them: Sequence[Measured], caption: str) -> str:
    """Two planes: megabytes and milliseconds across on logarithmic axes, accuracy (or perplexity) upwards.

    Args:
        title: first line.
        all_of_them: what was measured; those of unknown size or quality are left out of the planes.
        caption: last lines.
    """
    drawing = Drawing(2 * _SIDE + _GAP + 2 * _LEFT + 44)
    drawing.lines(title, 15.0, "strong")
    setting = min(setting for one in all_of_them for setting in one.times)
    shown = [one for one in all_of_them if one.quality is not None and one.contestant.num_bytes]
    if not shown:
        drawing.lines("nothing whose size and quality are both known", 12.0, "muted")
        return drawing.svg()
    quality = shown[0].quality
    assert quality is not None
    planes: list[tuple[str, Callable[[Measured], float]]] = [
        ("megabytes on disk", lambda one: (one.contestant.num_bytes or 0) / 1e6),
        (f"milliseconds of one text of {setting.length} tokens, one thread", lambda one: 1000 * one.seconds(setting)),
    ]
    top, low, high = drawing.y + 14, *_span([_height(one) for one in shown])
    for number, (label, across) in enumerate(planes):
        left = drawing.margin + _LEFT + number * (_SIDE + _GAP + _LEFT)
        values = [across(one) for one in shown]
        least, most = 10 ** (math.log10(min(values)) - 0.12), 10 ** (math.log10(max(values)) + 0.35)
        drawing.frame(left, top, _SIDE, _SIDE)
        for tick in _log_ticks(least, most):
            at = left + _SIDE * _share(tick, least, most)
            drawing.line([(at, top), (at, top + _SIDE)], "grid")
            drawing.text(at, top + _SIDE + 16, f"{tick:g}", _SIZE, "muted", anchor="middle")
        for step in range(5):
            value = low + (high - low) * step / 4
            up = top + _SIDE * (1 - step / 4)
            drawing.line([(left, up), (left + _SIDE, up)], "grid")
            said = f"{100 * value:.1f} %" if quality[0] == "accuracy" else f"{value:.4g}"
            drawing.text(left - 7, up + 4, said, _SIZE, "muted", anchor="end")
        drawing.text(left + _SIDE / 2, top + _SIDE + 36, label, 12.0, anchor="middle")
        drawing.text(left - 50, top + _SIDE / 2 + 30, quality[0], 12.0, turned=True)
        points = {
            one.contestant.name: (
                left + _SIDE * _share(across(one), least, most),
                top + _SIDE * (1 - (_height(one) - low) / (high - low)),
            )
            for one in sorted(shown, key=across)
        }
        for one in shown:
            x, y = points[one.contestant.name]
            drawing.box(x - 4, y - 4, 8.0, 8.0, 1.0, _told(one, setting))
        taken = [(x - 5, x + 5, y + 4) for x, y in points.values()]
        for name, (x, y) in points.items():
            _label(drawing, name, x, y, left + _SIDE, taken)
    drawing.y = top + _SIDE + 52
    drawing.lines(caption, 12.0, "muted")
    return drawing.svg()


def _label(
    drawing: Drawing, name: str, x: float, y: float, right: float, taken: list[tuple[float, float, float]]
) -> None:
    """The name beside its point, lower where another name or point is."""
    width = text_width(name, _SIZE)
    start = x + 8 if x + 8 + width <= right else x - 8 - width
    height = y + 4
    while any(abs(height - other) < 12 and start < end and begin < start + width for begin, end, other in taken):
        height += 12
    taken.append((start, start + width, height))
    drawing.text(start, height, name, _SIZE)


def _height(one: Measured) -> float:
    assert one.quality is not None
    return one.quality[1]


def _told(one: Measured, setting: Setting) -> str:
    assert one.quality is not None
    size, took = (one.contestant.num_bytes or 0) / 1e6, 1000 * one.seconds(setting)
    return f"{one.contestant.name}: {one.quality[0]} {one.quality[1]:.4f}, {size:.1f} MB, {took:.2f} ms"


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Where an axis begins and ends, a little beyond the values."""
    low, high = min(values), max(values)
    room = 0.25 * (high - low) or 0.01 * abs(high) or 0.01
    return low - room, high + room


def _share(value: float, least: float, most: float) -> float:
    return math.log(value / least) / math.log(most / least)


def _log_ticks(least: float, most: float) -> list[float]:
    """Round numbers, three to a power of ten where there are few."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    steps = (1,) if math.log10(most / least) > 2.5 else (1, 2, 5)
    return [step * 10.0**power for power in powers for step in steps if least <= step * 10.0**power <= most]
