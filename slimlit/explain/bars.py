"""``draw_bars``: a share for each of several names, as bars."""

from collections.abc import Sequence

from slimlit.explain.drawing import Drawing, text_width

_SIZE, _HEIGHT, _LENGTH = 12.0, 22.0, 300.0


def draw_bars(title: str, bars: Sequence[tuple[str, float, str]], caption: str) -> str:
    """One bar under the other, from 0 to 1.

    Args:
        title: first line.
        bars: the name of each, its share, and what is said behind it.
        caption: last line.
    """
    left = max((text_width(name, _SIZE) for name, _, _ in bars), default=0.0) + 10
    right = max((text_width(note, _SIZE) for _, _, note in bars), default=0.0) + 10
    drawing = Drawing(max(420.0, left + _LENGTH + right + 32))
    drawing.lines(title, 15.0, "strong")
    drawing.y += 6
    for name, share, note in bars:
        x = drawing.margin + left
        drawing.text(x - 8, drawing.y + 14, name, _SIZE, anchor="end")
        drawing.frame(x, drawing.y + 2, _LENGTH, _HEIGHT - 6)
        drawing.box(
            x, drawing.y + 2, _LENGTH * min(1.0, max(0.0, share)), _HEIGHT - 6, 0.8, f"{name}: {100 * share:.1f} %"
        )
        drawing.text(x + _LENGTH + 8, drawing.y + 14, note, _SIZE, "muted")
        drawing.y += _HEIGHT
    drawing.y += 6
    drawing.lines(caption, 12.0, "muted")
    return drawing.svg()
