"""``draw_article``: one text with its answers, maps, tests, exact shares, teacher and attention."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from slimlit.explain.packed import pack, pack_maps, quantise
from slimlit.explain.page.answer import draw_answer
from slimlit.explain.page.markup import language, tag, words_of
from slimlit.explain.records import Answer, Example, Explanation, Map
from slimlit.explain.words import Word
from slimlit.report.html import text as clean


def draw_article(at: int, example: Example, methods: Sequence[str], explanation: Explanation, budget: int) -> str:
    """The article of one text, of that many bytes at most unless its words alone take more."""
    facts, heats = _facts(example, methods)
    pieces = [
        f'<article id="e{at}" aria-labelledby="h{at}" tabindex="-1">',
        f'<h2 id="h{at}">{clean(example.name)}</h2>',
        tag("p", clean(example.note), "note") if example.note else "",
        _chooser(at, example.answers, example.words),
        _text(example, heats[0][0] if heats else [0] * len(example.words)),
        *(draw_answer(number_, answer, example, explanation) for number_, answer in enumerate(example.answers)),
    ]
    rest = "\n".join(piece for piece in pieces if piece)
    tail = (
        '<details class="numbers" hidden><summary>All numbers</summary><div class="scroll"></div></details>\n</article>'
    )
    room = budget - len((rest + _data(facts) + tail).encode()) - 400
    shown, note = _attention(example, room)
    facts["f"] = shown
    panel = ""
    if shown:
        panel = (
            f'<details class="heads" hidden><summary>Attention by layer and head</summary>{note}<div></div></details>'
        )
    elif note:
        panel = note
    return "\n".join([rest, panel, _data(facts), tail])


def _facts(example: Example, methods: Sequence[str]) -> tuple[dict[str, Any], list[list[list[int]]]]:
    """What the page's script must know of a text, and the quantised maps of each answer: its own, then the teacher's."""
    heats: list[list[list[int]]] = []
    scales: list[list[float]] = []
    for answer in example.answers:
        theirs = {one.method: one for one in answer.teacher.maps} if answer.teacher else {}
        rows = [quantise(one.drawn(example.words)) for one in answer.maps]
        none = Map("", [0.0] * len(example.words))
        rows += [quantise(theirs.get(name, none).drawn(example.words)) for name in (methods if answer.teacher else ())]
        heats.append([np.zeros_like(row).tolist() if answer.is_default else row.tolist() for row, _ in rows])
        scales.append([0.0 if answer.is_default else float(f"{scale:.4g}") for _, scale in rows])
    packed = pack(np.asarray(heats, dtype=np.int8)) if heats else ""
    places = [-1 if answer.place is None else answer.place for answer in example.answers]
    return {"m": list(methods), "s": scales, "p": places, "h": packed}, heats


def _data(facts: dict[str, Any]) -> str:
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


def _chooser(at: int, answers: Sequence[Answer], words: Sequence[Word]) -> str:
    if len(answers) < 2:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="a{at}" value="{number_}"{" checked" if not number_ else ""}>'
        f"<span>{clean(_called(answer, words))}</span></label>"
        for number_, answer in enumerate(answers)
    )
    return f'<form class="answers" hidden><fieldset><legend>Why this?</legend>{choices}</fieldset></form>'


def _called(answer: Answer, words: Sequence[Word]) -> str:
    """An answer among others: what it is, and of which word where that is not the same."""
    word = "" if answer.place is None else words[answer.place].text
    return answer.says if word in ("", answer.says) else f"{word}: {answer.says}"


def _text(example: Example, heat: Sequence[int]) -> str:
    asked = example.answers[0].place if example.answers else None
    own = f'<p class="text" dir="auto"{language(example.words)}>{words_of(example, heat, asked)}</p>'
    hidden = tag("p", "Struck through: hidden from the pooling, as in training.", "note") if example.hidden else ""
    if not any(answer.teacher and answer.teacher.maps for answer in example.answers):
        return own + hidden
    return (
        f'{own}{hidden}<p class="teacher" aria-hidden="true" hidden><b>teacher</b> '
        f'<span class="text" dir="auto"{language(example.words)}></span></p>'
    )


def _attention(example: Example, room: int) -> tuple[list[dict[str, Any]], str]:
    """The parts as fine as they fit, and what to say of it."""
    whole = sum(part.weights.size for part in example.attention)
    shown, notes = [], []
    for part in example.attention:
        layers, heads = part.weights.shape[:2]
        packed = pack_maps(part.weights, room * part.weights.size // max(1, whole) - 250)
        if packed is None:
            notes.append(
                f"{part.name}: {layers} layers of {heads} heads over {len(example.words)} words are too large for a page"
            )
            continue
        if packed.group > 1:
            notes.append(
                f"{part.name}: between groups of {packed.group} neighbouring words; "
                f"{layers} layers of {heads} heads word by word are too large for a page"
            )
        numbers = {"n": part.name, "r": part.rows, "c": part.columns, "l": layers, "h": heads}
        shown.append({**numbers, "q": packed.levels, "g": packed.group, "d": packed.text})
    return shown, "".join(tag("p", clean(note), "note") for note in notes)
