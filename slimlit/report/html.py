"""HTML that cannot be written unescaped: whatever is not :class:`Html` already is text."""

import re
from collections.abc import Iterable, Sequence
from html import escape

_UNPRINTABLE = (*range(9), 11, 12, *range(14, 32), 127, *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
_ESCAPES = dict.fromkeys(_UNPRINTABLE, "\N{REPLACEMENT CHARACTER}")
_ESCAPES |= {ord(sign): escape(sign) for sign in "&<>\"'"}
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_OTHER_EAST = re.compile("[\u3040-\u30ff\uac00-\ud7af]")
_BETWEEN_HAN = re.compile(
    "(?<=[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]) (?=[\u3000-\u303f\u3400-\u9fff\uff00-\uffef])"
)
_NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+( ?(%|x|ms|s|MiB|GiB|kB|M|k))?|-|")
_VOID = frozenset({"meta", "input", "img", "br", "link"})


class Html(str):
    """A piece of a page, as it is."""

    __slots__ = ()


Part = Html | str | None


def text(value: str) -> Html:
    """A text, escaped; what no page may hold is shown as a replacement character."""
    return Html(value.translate(_ESCAPES))


def join(parts: Iterable[Part]) -> Html:
    """Pieces one after the other; a None is nothing."""
    return Html(
        "".join(part if isinstance(part, Html) else part.translate(_ESCAPES) for part in parts if part is not None)
    )


def tag(element: str, /, *parts: Part, **attributes: str | int | bool | None) -> Html:
    """An element; ``class_`` is ``class``, ``aria_label`` is ``aria-label``, and an attribute that is None is left out."""
    opened = element
    for key, value in attributes.items():
        if value is not None and value is not False:
            said = "" if value is True else f'="{str(value).translate(_ESCAPES)}"'
            opened += f" {key.rstrip('_').replace('_', '-')}{said}"
    return Html(f"<{opened}>" if element in _VOID else f"<{opened}>{join(parts)}</{element}>")


def is_chinese(value: str) -> bool:
    """Whether a text is Chinese, and not Japanese or Korean, whose glyphs differ."""
    return bool(_HAN.search(value)) and not _OTHER_EAST.search(value)


def quoted(value: str) -> Html:
    """A text of the data: of its own direction and, where it is Chinese, with Chinese glyphs and no blanks between them."""
    if is_chinese(value):
        return tag("span", _BETWEEN_HAN.sub("", value), dir="auto", lang="zh")
    return tag("span", value, dir="auto")


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Part]]) -> Html:
    """A table whose first column names its rows; numbers stand to the right, and a wide one scrolls by itself."""
    cells = [list(row) for row in rows]
    numeric = [2 * sum(_is_number(row[column]) for row in cells) > len(cells) for column in range(len(head))]
    kinds = [None, *("n" if is_number else None for is_number in numeric[1:])]
    top = tag("tr", *(tag("th", name, scope="col", class_=kind) for name, kind in zip(head, kinds, strict=True)))
    lines = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in cells
    ]
    whole = tag("table", tag("caption", caption), tag("thead", top), tag("tbody", *lines))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def facts(pairs: Iterable[tuple[str, Part]], class_: str = "facts") -> Html:
    """Names and what they are, one under the other; as ``facts row`` or ``facts line`` beside each other."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs), class_=class_)


def bar(share: float) -> Html:
    """A share from 0 to 1 as a small bar, for the eye alone: the number stands beside it."""
    length = 72 * min(1.0, max(0.0, share))
    inner = tag("rect", class_="rail", width="72", height="8", rx="2")
    inner = join([inner, tag("rect", class_="full", width=f"{length:.1f}", height="8", rx="2")])
    return tag("svg", inner, class_="bar", width="72", height="8", aria_hidden="true")


def details(summary: str, *parts: Part) -> Html:
    """What is shown when asked for; on paper always."""
    return tag("details", tag("summary", summary), *parts)


def _is_number(cell: Part) -> bool:
    said = re.sub(r"<svg.*?</svg>|<[^>]*>", "", cell or "")
    return _NUMBER.fullmatch(said.strip()) is not None
