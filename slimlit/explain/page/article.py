"""``draw_article``: one text with its answers, maps, tests, exact shares, teacher and attention."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from slimlit.explain.packed import pack, pack_maps, quantise
from slimlit.explain.page.markup import clean, grade_of, language, number, signed, tag, words_of
from slimlit.explain.records import Answer, Example, Explanation, Map, Shares
from slimlit.explain.words import Word

BUDGET = 50_000  # bytes of one text, all its maps packed
_SPOKEN = 3  # words named for and against


def draw_article(at: int, example: Example, methods: Sequence[str], explanation: Explanation) -> str:
    """The article of one text, at most :data:`BUDGET` bytes unless its words alone take more."""
    facts, heats = _facts(example, methods)
    pieces = [
        f'<article id="e{at}" aria-labelledby="h{at}" tabindex="-1">',
        f'<h2 id="h{at}">{clean(example.name)}</h2>',
        tag("p", clean(example.note), "note") if example.note else "",
        _chooser(at, example.answers),
        _text(example, heats[0][0] if heats else [0] * len(example.words)),
        *(_answer(number_, answer, example, explanation) for number_, answer in enumerate(example.answers)),
    ]
    rest = "\n".join(piece for piece in pieces if piece)
    tail = '<details class="numbers" hidden><summary>All numbers</summary><div class="scroll"></div></details>\n</article>'
    room = BUDGET - len((rest + _data(facts) + tail).encode()) - 400
    shown, note = _attention(example, room)
    facts["f"] = shown
    panel = ""
    if shown:
        panel = f'<details class="heads" hidden><summary>Attention by layer and head</summary>{note}<div></div></details>'
    elif note:
        panel = note
    return "\n".join([rest, panel, _data(facts), tail])


def _facts(example: Example, methods: Sequence[str]) -> tuple[dict[str, Any], list[list[list[int]]]]:
    """What the page's script must know of a text, and the quantised maps of each answer: its own, then the teacher's."""
    heats: list[list[list[int]]] = []
    scales: list[list[float]] = []
    for answer in example.answers:
        theirs = {one.method: one for one in answer.teacher.maps} if answer.teacher else {}
        rows = [quantise(np.asarray(one.heat)) for one in answer.maps]
        none = Map("", [0.0] * len(example.words))
        rows += [quantise(np.asarray(theirs.get(name, none).heat)) for name in (methods if answer.teacher else ())]
        heats.append([np.zeros_like(row).tolist() if answer.is_default else row.tolist() for row, _ in rows])
        scales.append([0.0 if answer.is_default else float(f"{scale:.4g}") for _, scale in rows])
    packed = pack(np.asarray(heats, dtype=np.int8)) if heats else ""
    places = [-1 if answer.place is None else answer.place for answer in example.answers]
    return {"m": list(methods), "s": scales, "p": places, "h": packed}, heats


def _data(facts: dict[str, Any]) -> str:
    text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json">{text}</script>'


def _chooser(at: int, answers: Sequence[Answer]) -> str:
    if len(answers) < 2:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="a{at}" value="{number_}"{" checked" if not number_ else ""}>'
        f"<span>{clean(answer.says)}</span></label>"
        for number_, answer in enumerate(answers)
    )
    return f'<form class="answers" hidden><fieldset><legend>Why this?</legend>{choices}</fieldset></form>'


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


def _answer(at: int, answer: Answer, example: Example, explanation: Explanation) -> str:
    shown = "" if not at else " hidden"
    parts = [_verdict(answer, example.words), _likely(answer)]
    if answer.is_default:
        parts.append(
            '<p class="default"><b>No token matters here: default class.</b> Taking any word away, or all of them, '
            "changes this answer's probability by less than 0.01; a map of it would say nothing, and none is drawn.</p>"
        )
    else:
        parts += [_method(number_, answer, example.words, explanation) for number_, _ in enumerate(answer.maps)]
    if answer.shares is not None:
        parts.append(_shares(answer.shares, answer.says, example.words))
    return f'<section data-a="{at}"{shown}>' + "".join(parts) + "</section>"


def _verdict(answer: Answer, words: Sequence[Word]) -> str:
    where = "" if answer.place is None or words[answer.place].text == answer.says else f" at {clean(words[answer.place].text)}"
    said = [f"<b>{clean(answer.says)}</b>{where} {number(answer.probability)}"]
    if answer.expected is not None:
        kind, word = ("bad", "wrong") if answer.is_wrong else ("good", "right")
        said.append(f'<span class="{kind}">{word}</span>' + (f", expected {clean(answer.expected)}" if answer.is_wrong else ""))
    if answer.teacher is not None:
        theirs = answer.teacher
        said.append(f"teacher: <b>{clean(theirs.says)}</b> {number(theirs.probability)}")
        if theirs.says != answer.says:
            said.append(f"and {number(theirs.probability_of_answer)} for {clean(answer.says)}")
    return tag("p", " · ".join(said), "verdict")


def _likely(answer: Answer) -> str:
    bars = "".join(
        f'<li><span>{clean(name)}</span><svg width="80" height="8" aria-hidden="true"><rect width="80" height="8" class="rail"/>'
        f'<rect width="{80 * value:.1f}" height="8" class="full"/></svg>{number(value)}</li>'
        for name, value in answer.likely
    )
    return f'<ul class="likely" aria-label="probabilities">{bars}</ul>'


def _method(at: int, answer: Answer, words: Sequence[Word], explanation: Explanation) -> str:
    found = answer.maps[at]
    parts = [f"<b>{clean(found.method)}</b>"]
    test = found.tested
    if test is not None:
        kind, word = ("good", "better than random") if test.beats_random else ("bad", "no better than random")
        parts += [
            f"comprehensiveness {number(test.comprehensiveness)} (random {number(test.random_comprehensiveness)})",
            f"sufficiency {number(test.sufficiency)} (random {number(test.random_sufficiency)})",
            f'<span class="{kind}">{word}</span>',
        ]
    else:
        parts.append("not tested")
    grade = found.grade or ("not in the exam" if explanation.grades is not None else "no exam yet")
    parts.append(f"exam: {grade_of(grade) if found.grade else grade}")
    lines = [tag("p", " · ".join(parts), "tests"), tag("p", _spoken(found, words), "spoken")]
    if answer.teacher is not None:
        names = [one.method for one in answer.teacher.maps]
        if found.method in names:
            alike = answer.teacher.correlations[names.index(found.method)]
            said = "one word: no order to compare" if alike is None else f"rank correlation with the student's map {number(alike)}"
            line = f"{said}. The teacher, asked the same: {_spoken(answer.teacher.maps[names.index(found.method)], words)}"
        else:
            line = "this method does not read the teacher"
        lines.append(tag("p", f"<b>teacher</b> · {line}", "spoken"))
    return f'<div data-m="{at}"{" hidden" if at else ""}>' + "".join(lines) + "</div>"


def _spoken(found: Map, words: Sequence[Word]) -> str:
    """A map in words: the strongest for the answer and against it."""
    order = np.argsort(-np.abs(np.asarray(found.heat)), kind="stable").tolist()
    said = []
    for title, sign in (("for it", 1), ("against it", -1)):
        named = [place for place in order if sign * found.heat[place] > 0][:_SPOKEN]
        if named:
            listed = ", ".join(f"{clean(words[place].text)} {signed(found.heat[place])}" for place in named)
            said.append(f"{title}: {listed}")
    return "; ".join(said) or "all words are zero"


def _shares(exact: Shares, says: str, words: Sequence[Word]) -> str:
    order = np.argsort(-np.abs(np.asarray(exact.shares)), kind="stable").tolist()
    rows = "".join(
        f"<tr><th scope=row>{clean(words[place].text)}<td>{100 * exact.weights[place]:.1f} %<td>{signed(exact.shares[place])}"
        for place in order
    )
    total = sum(exact.shares)
    return (
        f"<details><summary>The logit as an exact sum: {signed(total)} of the words {signed(exact.bias)} bias = {number(exact.logit)}</summary>"
        '<div class="scroll"><table class="plain"><thead><tr><th scope=col>word<th scope=col>pooling weight'
        f"<th scope=col>share of the logit of {clean(says)}</thead><tbody>{rows}</tbody><tfoot>"
        f"<tr><th scope=row>sum<td>{100 * sum(exact.weights):.1f} %<td>{signed(total)}<tr><th scope=row>bias<td><td>{signed(exact.bias)}"
        f"<tr><th scope=row>logit<td><td>{number(total + exact.bias)}</tfoot></table></div></details>"
    )


def _attention(example: Example, room: int) -> tuple[list[dict[str, Any]], str]:
    """The parts as fine as they fit, and what to say of it."""
    whole = sum(part.weights.size for part in example.attention)
    shown, notes = [], []
    for part in example.attention:
        layers, heads = part.weights.shape[:2]
        packed = pack_maps(part.weights, room * part.weights.size // max(1, whole) - 120)
        if packed is None:
            notes.append(f"{part.name}: {layers} layers of {heads} heads over {len(example.words)} words are too large for a page")
            continue
        if packed.num_heads < heads:
            notes.append(f"{part.name}: the mean of {heads} heads of each layer; all of them are too large for a page")
        shown.append({"n": part.name, "r": part.rows, "c": part.columns, "l": layers, "h": packed.num_heads, "q": packed.levels, "d": packed.text})
    return shown, "".join(tag("p", clean(note), "note") for note in notes)
