"""An explanation in the terminal: the text in colours, or words with bars where there are none."""

import os
import unicodedata
from collections.abc import Sequence

import numpy as np

from slimlit.explain.packed import FULL, quantise
from slimlit.explain.records import Answer, Example, Explanation, Map
from slimlit.explain.words import Word

_FOR = (230, 223, 222, 221, 220, 214)  # xterm's 256 colours, pale to full
_AGAINST = (195, 159, 153, 117, 111, 75)
_BAR, _SHOWN = 20, 24


def has_colours(is_terminal: bool) -> bool:
    """Whether colours may be written: to a terminal that has some, where nobody said no (NO_COLOR)."""
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")


def draw_lines(explanation: Explanation, colours: bool) -> str:
    """The first example: each answer with its maps and their tests."""
    (example, *_) = explanation.examples
    lines = [note for note in (*explanation.notes, example.note) if note]
    for answer in example.answers:
        lines += [_verdict(answer, example), ""]
        if answer.is_default:
            lines += [
                "No token matters here: default class. Taking any word away, or all of them, changes less than 0.01.",
                "",
            ]
            continue
        for found in answer.maps:
            lines.append(_tests(found, explanation))
            lines += [_coloured(found, example.words)] if colours else _bars(found, example.words)
            lines += _specials(found)
            lines.append("")
    return "\n".join(lines).rstrip()


def _verdict(answer: Answer, example: Example) -> str:
    word = answer.says if answer.place is None else example.words[answer.place].text
    where = "" if word == answer.says else f" (at {word})"
    parts = [f"{answer.says}{where} {answer.probability:.3f}"]
    if answer.is_wrong:
        parts.append(f"expected {answer.expected}")
    if answer.teacher is not None:
        parts.append(f"teacher: {answer.teacher.says} {answer.teacher.probability:.3f}")
    return ", ".join(parts)


def _tests(found: Map, explanation: Explanation) -> str:
    parts = [found.method]
    if found.tested is not None:
        test = found.tested
        means = test.random_comprehensiveness, test.random_sufficiency
        parts.append(f"comprehensiveness {test.comprehensiveness:.3f} (random {means[0]:.3f})")
        parts.append(f"sufficiency {test.sufficiency:.3f} (random {means[1]:.3f})")
        parts.append("better than random" if test.beats_random else "not told from random")
    missing = "not taken yet (--exam)" if explanation.grades is None else "not in it"
    parts.append(f"exam: {found.grade or missing}")
    return "; ".join(parts)


def _coloured(found: Map, words: Sequence[Word]) -> str:
    said = ""
    for place, (word, value) in enumerate(zip(words, quantise(found.drawn(words))[0].tolist(), strict=True)):
        steps = (abs(value) * len(_FOR) * 2 + FULL) // (2 * FULL)
        said += "" if word.is_glued or not place else " "
        text = _printable(word.text)
        colour = (_FOR if value > 0 else _AGAINST)[steps - 1] if steps else None
        said += text if colour is None else f"\x1b[30;48;5;{colour}m{text}\x1b[0m"
    return said


def _bars(found: Map, words: Sequence[Word]) -> list[str]:
    """The strongest words in the order of the text: bars to the right for the answer, to the left against it."""
    heat = found.drawn(words)
    full = float(np.abs(heat).max(initial=0.0))
    if not full:
        return ["  all words are zero"]
    strongest = np.argsort(-np.abs(heat), kind="stable").tolist()
    chosen = sorted(place for place in strongest[:_SHOWN] if heat[place])
    widest = max(_width(_printable(words[place].text)) for place in chosen)
    lines = []
    for place in chosen:
        text, value = _printable(words[place].text), float(heat[place])
        size = round(abs(value) / full * _BAR)
        bar = f"{'-' * size if value < 0 else '':>{_BAR}}|{'+' * size if value > 0 else '':<{_BAR}}"
        lines.append(f"  {text}{' ' * (widest - _width(text))}  {bar} {value:+.3f}")
    weaker = np.count_nonzero(heat) - len(chosen)
    return [*lines, f"  and {weaker} weaker words"] if weaker else lines


def _specials(found: Map) -> list[str]:
    if found.specials is None or found.specials.share < 0.005:
        return []
    told = f"{found.specials.total:+.3f} together, {100 * found.specials.share:.0f} % of the map"
    return [f"  special tokens: {told}; not drawn, since no test takes them away"]


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _width(text: str) -> int:
    """Columns in a terminal; Chinese, Japanese and Korean take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else not unicodedata.combining(sign) for sign in text)
