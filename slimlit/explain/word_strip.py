"""A text whose words are shaded by their weight, one strip for each head."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from slimlit.explain.drawing import Drawing, break_text, text_width
from slimlit.explain.words import Word

_SIZE, _NUMBER = 16.0, 9.5


def draw_word_strips(
    title: str,
    lines: Sequence[str],
    words: Sequence[Word],
    strips: Mapping[str, Float[np.ndarray, " words"]],
    caption: str,
    hidden: Collection[int] = (),
    width: float = 780.0,
) -> str:
    """The text once for each strip, its words shaded and numbered (per cent); long texts wrap, nothing is cut.

    Full shade is the largest weight of the strip, but at least three times an equal share, so that equal weights look
    light.

    Args:
        title: first line.
        lines: further lines, above the text.
        words: of the text, in order.
        strips: weights by the name of the head.
        caption: last line.
        hidden: numbers of words the head could not see; struck through.
        width: of the picture, pixels.
    """
    drawing = Drawing(width)
    drawing.lines(title, 15.0, "strong")
    for line in lines:
        drawing.lines(line, 13.0, "muted")
    for name, weights in strips.items():
        full = max(float(np.max(weights, initial=0.0)), 3.0 / max(1, len(words) - len(hidden)))
        drawing.y += 10
        drawing.lines(name, 12.0, "muted")
        _strip(drawing, words, weights, full, hidden)
        drawing.scale(f"{100 * full:.0f} % of the weight")
    drawing.y += 4
    if hidden:
        drawing.lines("struck through: hidden from the pooling", 12.0, "muted")
    drawing.lines(caption, 12.0, "muted")
    return drawing.svg()


def _strip(
    drawing: Drawing, words: Sequence[Word], weights: Float[np.ndarray, " words"], full: float, hidden: Collection[int]
) -> None:
    height = _SIZE * 1.35
    x, top = drawing.margin, drawing.y + 4
    for position, (word, weight) in enumerate(zip(words, weights.tolist(), strict=True)):
        number = f"{100 * weight:.0f}" if weight >= 0.005 else ""
        kind = "muted struck" if position in hidden else "muted" if word.is_special else ""
        is_followed = position + 1 < len(words) and words[position + 1].is_glued
        before, after = 0.4 if word.is_glued else 2.0, 0.4 if is_followed else 2.0
        for count, piece in enumerate(break_text(word.text, _SIZE, drawing.room - before - after)):
            written = text_width(piece, _SIZE)
            wide = before + written + after
            gap = 0.0 if word.is_glued or count or x == drawing.margin else 4.0
            if x + gap + wide > drawing.width - drawing.margin + 0.01 and x > drawing.margin:
                x, gap, top = drawing.margin, 0.0, top + height + _NUMBER + 8
            x += gap
            drawing.box(x, top, wide, height, weight / full, f"{word.text}: {100 * weight:.2f} %")
            drawing.text(x + before, top + _SIZE, piece, _SIZE, kind)
            if count == 0 and (text_width(number, _NUMBER) <= wide + 3 or weight > full / 4):
                drawing.text(x + wide / 2, top + height + _NUMBER, number, _NUMBER, "muted", anchor="middle")
            x += wide
    drawing.y = top + height + _NUMBER + 10
