"""``draw_bars``: numbers as bars, an SVG that is readable on light and dark paper."""

from collections.abc import Sequence
from html import escape

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif"
_STYLE = f"""<style>
.slimlit text{{font-family:{_FONT};fill:#1b1f24;font-size:13px}}
.slimlit .paper{{fill:#ffffff}}
.slimlit .heat{{fill:#f59e0b}}
.slimlit .rest{{fill:#0969da}}
.slimlit text.muted{{fill:#59636e;font-size:12px}}
@media(prefers-color-scheme:dark){{
.slimlit text{{fill:#f0f6fc}}
.slimlit .paper{{fill:#0d1117}}
.slimlit .heat{{fill:#b45309}}
.slimlit .rest{{fill:#58a6ff}}
.slimlit text.muted{{fill:#9da7b1}}
}}
</style>"""
_WIDTH, _LEFT, _RIGHT, _STEP = 720, 190, 150, 24


def draw_bars(title: str, bars: Sequence[tuple[str, int, bool]], note: str) -> str:
    """One bar each, as long as its number.

    Args:
        title: what is shown.
        bars: name, number, and whether it is what remained.
        note: a line below, in a muted colour.
    """
    most = max((number for _, number, _ in bars), default=0) or 1
    total = sum(number for _, number, _ in bars) or 1
    room = _WIDTH - _LEFT - _RIGHT
    height = 66 + _STEP * len(bars)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="slimlit" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        _STYLE,
        f'<rect class="paper" width="{_WIDTH}" height="{height}"/>',
        f'<text x="16" y="28" font-weight="600">{escape(title)}</text>',
    ]
    for row, (name, number, remained) in enumerate(bars):
        y = 44 + _STEP * row
        wide = room * number / most
        kind = "rest" if remained else "heat"
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{wide:.1f}" height="{_STEP - 6}" rx="3"/>',
            f'<text class="muted" x="{_LEFT + wide + 6:.1f}" y="{y + 14}">{number:,} ({number / total:.1%})</text>',
        ]
    parts.append(f'<text class="muted" x="16" y="{height - 10}">{escape(note)}</text>')
    return "\n".join([*parts, "</svg>\n"])
