"""Small pieces of markup: words with their heat, numbers as people read them."""

import re
from collections.abc import Sequence

from slimlit.explain.packed import FULL
from slimlit.explain.records import Example
from slimlit.explain.words import Word
from slimlit.report.html import text as clean

_LEVELS = 8
_SCRIPTS = {
    "ja": r"[\u3040-\u30ff]",
    "ko": r"[\uac00-\ud7af]",
    "zh": r"[\u3400-\u9fff]",
}  # whose signs need their own font


def tag(name: str, inner: str, kind: str = "") -> str:
    """An element on a line of its own."""
    opened = f'{name} class="{kind}"' if kind else name
    return f"<{opened}>{inner}</{name}>\n"


def level(quantised: int) -> str:
    """The class of a word's shade: p8 spoke strongest for the answer, n8 against it; none where it said nothing."""
    steps = (abs(quantised) * 2 * _LEVELS + FULL) // (2 * FULL)
    return f"{'p' if quantised > 0 else 'n'}{steps}" if steps else ""


def words_of(example: Example, heat: Sequence[int], asked: int | None = None) -> str:
    """The text, each word a span; a script may give it other shades."""
    begins = {place: name for name, place in example.sides}
    parts = []
    for place, (word, value) in enumerate(zip(example.words, heat, strict=True)):
        flags = {"s": word.is_special, "h": place in example.hidden, "q": place == asked}
        kind = " ".join(filter(None, [level(value), *(name for name, holds in flags.items() if holds)]))
        parts.append(f' <b class="w">{clean(begins[place])}</b>' if place in begins else "")
        parts.append("" if word.is_glued or not place else " ")
        parts.append(f"<span{f' class={_quoted(kind)}' if kind else ''}>{clean(word.text)}</span>")
    return "".join(parts)


def _quoted(kind: str) -> str:
    return f'"{kind}"' if " " in kind else kind


def language(words: Sequence[Word]) -> str:
    """A ``lang`` attribute, where the script tells the language and the font must know it."""
    text = "".join(word.text for word in words)
    found = next((name for name, signs in _SCRIPTS.items() if re.search(signs, text)), None)
    return f' lang="{found}"' if found else ""


def beginning(example: Example) -> str:
    """How a text begins, for a list of texts."""
    said = ""
    for word in example.words:
        if not word.is_special:
            said += ("" if word.is_glued or not said else " ") + word.text
        if len(said) > 70:
            return f"{said[:70]}…"
    return said or example.name


def number(value: float) -> str:
    """A number with its sign where it is below zero, and as many places as tell something."""
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    text = text.removeprefix("-") if not float(text) else text
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float) -> str:
    """A number with its sign."""
    text = number(value)
    return text if text.startswith("\N{MINUS SIGN}") else f"+{text}"


def named(word: Word) -> str:
    """A word among others in a sentence; signs that would be read as the sentence's own are quoted."""
    text = clean(word.text)
    return (
        text
        if any(sign.isalnum() for sign in word.text)
        else f"\N{LEFT DOUBLE QUOTATION MARK}{text}\N{RIGHT DOUBLE QUOTATION MARK}"
    )
