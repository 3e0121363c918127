"""Tables of numbers as shaded squares: attention of word to word, confusion of class with class."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from slimlit.explain.drawing import Drawing, text_width

_LABEL = 11.0
_LEVELS = 24  # shades; one path for each keeps a map of 200 x 200 words small


def draw_heat_maps(
    title: str,
    maps: Mapping[str, Float[np.ndarray, "rows columns"]],
    rows: Sequence[str],
    columns: Sequence[str],
    caption: str,
    numbers: Sequence[Sequence[str]] | None = None,
    axes: tuple[str, str] = ("", ""),
    least: float = 0.0,
    width: float = 1100.0,
) -> str:
    """The maps side by side, as many as fit a line; full shade is the largest value of each map, or ``least``.

    Args:
        title: first line.
        maps: values from 0 up, by name.
        rows: names of the rows.
        columns: names of the columns.
        caption: last line.
        numbers: a text for each square.
        axes: what rows and columns are.
        least: full shade is at least this value, so that a map of small equal values looks light.
        width: of the picture, pixels; one map wider than this widens it.
    """
    widest = max((text_width(number, _LABEL) for line in numbers or [] for number in line), default=0.0)
    cell_width, cell_height = (max(30.0, widest + 12), 26.0) if numbers else (15.0, 15.0)
    left = max((text_width(name, _LABEL) for name in rows), default=0.0) + 8
    above = max((text_width(name, _LABEL) for name in columns), default=0.0) + 8
    map_width, map_height = left + cell_width * len(columns), above + cell_height * len(rows)
    heading = 34.0
    widest_name = max(
        text_width(name, 12.0) for name in (*(f"{name} (full shade 100 %)" for name in maps), _heading(axes))
    )
    step = max(map_width, widest_name) + 24
    drawing = Drawing(max(min(width, step * len(maps) + 32), step + 32, 420.0))
    drawing.lines(title, 15.0, "strong")
    across = max(1, int((drawing.room + 24) // step))
    for number, (name, values) in enumerate(maps.items()):
        if number % across == 0 and number:
            drawing.y += map_height + heading
        full = max(least, float(np.max(values, initial=0.0)))
        x, y = drawing.margin + (number % across) * step, drawing.y + 8
        drawing.text(x, y + 12, _heading(axes) or f"{name} (full shade {100 * full:.0f} %)", 12.0, "muted")
        y += 20 + above
        for row, label in enumerate(rows):
            drawing.text(x + left - 5, y + (row + 0.5) * cell_height + 4, label, _LABEL, anchor="end")
        for column, label in enumerate(columns):
            drawing.text(x + left + (column + 0.5) * cell_width + 4, y - 5, label, _LABEL, turned=True)
        _squares(drawing, values, full, x + left, y, cell_width, cell_height)
        drawing.frame(x + left, y, cell_width * len(columns), cell_height * len(rows))
        for row, line in enumerate(numbers or []):
            for column, text in enumerate(line):
                centre = x + left + (column + 0.5) * cell_width
                drawing.text(centre, y + (row + 0.5) * cell_height + 4, text, _LABEL, anchor="middle")
    drawing.y += map_height + heading
    drawing.lines(caption, 12.0, "muted")
    return drawing.svg()


def _squares(
    drawing: Drawing,
    values: Float[np.ndarray, "rows columns"],
    full: float,
    x: float,
    y: float,
    width: float,
    height: float,
) -> None:
    levels = np.rint(values / full * _LEVELS).astype(int) if full > 0 else np.zeros(values.shape, dtype=int)
    areas: dict[int, list[str]] = {}
    for row, line in enumerate(levels):
        starts = np.flatnonzero(np.diff(line, prepend=-1)).tolist()  # where a run of one shade begins
        for start, end in zip(starts, [*starts[1:], len(line)], strict=True):
            across = f"{(end - start) * width:g}"
            area = f"M{x + start * width:.1f} {y + row * height:.1f}h{across}v{height:g}h-{across}z"
            areas.setdefault(int(line[start]), []).append(area)
    for level in sorted(areas.keys() - {0}):
        drawing.path("".join(areas[level]), level / _LEVELS)


def _heading(axes: tuple[str, str]) -> str:
    return f"rows: {axes[0]}, columns: {axes[1]}" if any(axes) else ""
