"""A drawing as SVG text: measured words that wrap, colours for light and dark, everything escaped."""

import re
import unicodedata
from collections.abc import Sequence
from html import escape

# widths of Helvetica's printable ASCII, thousandths of the size (Adobe's font metrics, Helvetica.afm)
_WIDTHS = [
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, *(556,) * 10, 278, 278, 584, 584),
    *(584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667),
    *(611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222),
    *(222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
]
_ROOM = 1.06  # today's sans-serifs run wider than Helvetica; what is left over, textLength evens out
_ASCII = {chr(place): width * _ROOM for place, width in enumerate(_WIDTHS, 32)}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif"
STYLE = f"""<style>
.slimlit text{{font-family:{_FONT};fill:#1b1f24}}
.slimlit .paper{{fill:#ffffff}}
.slimlit .heat{{fill:#f59e0b}}
.slimlit .frame{{fill:none;stroke:#d0d7de}}
.slimlit text.muted{{fill:#59636e}}
.slimlit .line{{fill:none;stroke-width:2;stroke-linejoin:round;stroke:#1b1f24}}
.slimlit .grid{{fill:none;stroke:#d0d7de;stroke-width:.6}}
.slimlit .one{{stroke:#0969da}}
.slimlit .two{{stroke:#bc4c00}}
.slimlit .three{{stroke:#8250df;stroke-dasharray:7 3}}
.slimlit .four{{stroke:#1a7f37;stroke-width:3}}
.slimlit .chance{{stroke:#59636e;stroke-width:1;stroke-dasharray:2 3}}
.slimlit circle{{fill:#ffffff}}
.slimlit .thin{{stroke-width:1}}
.slimlit .limit{{stroke-width:1.5;stroke-dasharray:10 4}}
.slimlit text.strong{{font-weight:600}}
.slimlit text.struck{{text-decoration:line-through}}
@media(prefers-color-scheme:dark){{
.slimlit text{{fill:#f0f6fc}}
.slimlit .paper{{fill:#0d1117}}
.slimlit .heat{{fill:#b45309}}
.slimlit .frame{{stroke:#3d444d}}
.slimlit text.muted{{fill:#9da7b1}}
.slimlit .line{{stroke:#f0f6fc}}
.slimlit .grid{{stroke:#3d444d}}
.slimlit .one{{stroke:#58a6ff}}
.slimlit .two{{stroke:#f0883e}}
.slimlit .three{{stroke:#bc8cff}}
.slimlit .four{{stroke:#3fb950}}
.slimlit .chance{{stroke:#9da7b1}}
.slimlit circle{{fill:#0d1117}}
}}
</style>"""


def text_width(text: str, size: float) -> float:
    """How wide a text is set in a font of that size, in pixels; full-width characters are as wide as they are high."""
    widths = (_ASCII[character] if character in _ASCII else _other_width(character) for character in text)
    return size * sum(widths) / 1000


def _other_width(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1000.0
    return 0.0 if unicodedata.category(character) in ("Mn", "Me", "Cf") else 600.0 * _ROOM


def break_text(text: str, size: float, width: float) -> list[str]:
    """The pieces of a text that fit into ``width``; broken between characters, only where it is too wide."""
    pieces, piece, taken = [], "", 0.0
    for character in text:
        wide = text_width(character, size)
        if piece and taken + wide > width:
            pieces.append(piece)
            piece, taken = "", 0.0
        piece, taken = piece + character, taken + wide
    return [*pieces, piece]


def wrap_text(text: str, size: float, width: float) -> list[str]:
    """The lines of a text, broken at spaces and, where a word alone is too wide, inside it."""
    lines = [""]
    for word in text.split():
        for piece in break_text(word, size, width):
            joined = f"{lines[-1]} {piece}" if lines[-1] else piece
            if text_width(joined, size) <= width:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines


class Drawing:
    """Shapes and texts on a page that grows downwards: ``y`` is where the next line begins."""

    def __init__(self, width: float, margin: float = 16.0) -> None:
        self.width = width
        self.margin = margin
        self.y = margin
        self._parts: list[str] = []

    @property
    def room(self) -> float:
        """The width between the margins."""
        return self.width - 2 * self.margin

    def text(
        self, x: float, y: float, text: str, size: float, kind: str = "", *, anchor: str = "start", turned: bool = False
    ) -> None:
        """A text on the base line ``y``, fitted to the width it was measured with; ``turned`` reads upwards."""
        if not text.strip():
            return
        width = text_width(text, size)
        attributes = f' class="{kind}"' if kind else ""
        attributes += f' text-anchor="{anchor}"' if anchor != "start" else ""
        attributes += f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        if width > 0:
            attributes += f' textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs"'
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{attributes}>{_clean(text)}</text>')

    def lines(self, text: str, size: float, kind: str = "") -> None:
        """A paragraph over the whole width, below what is there."""
        for line in wrap_text(text, size, self.room):
            self.text(self.margin, self.y + size, line, size, kind)
            self.y += size * 1.4

    def box(self, x: float, y: float, width: float, height: float, shade: float, tooltip: str = "") -> None:
        """A rectangle shaded from 0 (paper) to 1 (full heat)."""
        title = f"<title>{_clean(tooltip)}</title>" if tooltip else ""
        self._parts.append(
            f'<rect class="heat" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="3" '
            f'fill-opacity="{_unit(shade):.3f}">{title}</rect>'
        )

    def path(self, commands: str, shade: float) -> None:
        """An area, as SVG path commands, of one shade."""
        self._parts.append(f'<path class="heat" fill-opacity="{_unit(shade):.3f}" d="{commands}"/>')

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> None:
        """A line through points."""
        self._parts.append(f'<path class="{kind}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>')

    def dot(self, x: float, y: float, kind: str, tooltip: str = "") -> None:
        """A point of a line."""
        title = f"<title>{_clean(tooltip)}</title>" if tooltip else ""
        self._parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">{title}</circle>')

    def frame(self, x: float, y: float, width: float, height: float) -> None:
        """A thin line around a rectangle."""
        self._parts.append(f'<rect class="frame" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>')

    def scale(self, highest: str) -> None:
        """The key to the shades: from 0 to ``highest``."""
        size, step = 11.0, 18.0
        self.text(self.margin, self.y + size, "0", size, "muted")
        x = self.margin + text_width("0", size) + 6
        for number in range(6):
            self.box(x, self.y, step, size + 2, number / 5)
            self.frame(x, self.y, step, size + 2)
            x += step
        self.text(x + 6, self.y + size, highest, size, "muted")
        self.y += size * 1.9

    def svg(self) -> str:
        """The whole as an SVG document, to stand alone or inside a page."""
        width, height = f"{self.width:.0f}", f"{self.y + self.margin:.0f}"
        head = f'<svg xmlns="http://www.w3.org/2000/svg" class="slimlit" width="{width}" height="{height}" '
        head += f'viewBox="0 0 {width} {height}" role="img">'
        paper = f'<rect class="paper" width="{width}" height="{height}"/>'
        return "\n".join([head, STYLE, paper, *self._parts, "</svg>\n"])


def inline(svg: str, label: str) -> str:
    """A drawing to stand in a page that has :data:`STYLE` once, with a name for those who do not see it."""
    name = f' role="img" aria-label="{_clean(label)}">'
    return svg.replace(STYLE + "\n", "", 1).replace(' role="img">', name, 1)


def _clean(text: str) -> str:
    return escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text))


def _unit(shade: float) -> float:
    return min(1.0, max(0.0, shade))
