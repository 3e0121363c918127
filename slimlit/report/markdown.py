"""``as_html``: the little Markdown that slimlit writes itself: headings, lists, paragraphs, bold."""

import re

from slimlit.report.html import Html, Part, join, tag, text

_BOLD = re.compile(r"\*\*(.+?)\*\*")


def as_html(markdown: str) -> Html:
    """Headings a level below the page's own; everything else is text."""
    parts: list[Part] = []
    items: list[str] = []
    paragraph: list[str] = []

    def close() -> None:
        if paragraph:
            parts.append(tag("p", _inline(" ".join(paragraph))))
            paragraph.clear()
        if items:
            parts.append(tag("ul", *(tag("li", _inline(item)) for item in items)))
            items.clear()

    for line in markdown.splitlines():
        if line.startswith("#"):
            close()
            level = min(6, 3 + line.index(" ") if " " in line else 4)
            parts.append(tag(f"h{level}", _inline(line.lstrip("# "))))
        elif line.startswith("- "):
            if paragraph:
                close()
            items.append(line[2:])
        elif items and line.startswith("  "):
            items[-1] += f" {line.strip()}"
        elif line.strip():
            if items:
                close()
            paragraph.append(line.strip())
        else:
            close()
    close()
    return join(parts)


def _inline(line: str) -> Html:
    pieces = _BOLD.split(line)
    return join(tag("strong", piece) if place % 2 else text(piece) for place, piece in enumerate(pieces))
