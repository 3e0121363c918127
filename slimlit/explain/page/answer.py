"""``draw_answer``: one answer of a text: how sure, what its maps say in words, how they were tested, and the exact shares."""

from collections.abc import Sequence

import numpy as np

from slimlit.explain.page.markup import named, number, signed, tag
from slimlit.explain.records import Answer, Example, Explanation, Map, Shares
from slimlit.explain.words import Word
from slimlit.report.html import text as clean

_SPOKEN = 3  # words named for and against


def draw_answer(at: int, answer: Answer, example: Example, explanation: Explanation) -> str:
    """The section of an answer; all but the first wait until they are chosen."""
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
    where = (
        ""
        if answer.place is None or words[answer.place].text == answer.says
        else f" at {clean(words[answer.place].text)}"
    )
    said = [f"<b>{clean(answer.says)}</b>{where} {number(answer.probability)}"]
    if answer.expected is not None:
        kind, word = ("bad", "wrong") if answer.is_wrong else ("good", "right")
        said.append(
            f'<span class="{kind}">{word}</span>' + (f", expected {clean(answer.expected)}" if answer.is_wrong else "")
        )
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
        kind, word = ("good", "better than random") if test.beats_random else ("bad", "not told from random")
        parts += [
            f"comprehensiveness {number(test.comprehensiveness)} (random {number(test.random_comprehensiveness)})",
            f"sufficiency {number(test.sufficiency)} (random {number(test.random_sufficiency)})",
            f'<span class="{kind}">{word}</span>',
        ]
    else:
        parts.append("not tested")
    grade = found.grade or ("not in it" if explanation.grades is not None else "not taken yet")
    parts.append(f"exam: {clean(grade)}")
    lines = [tag("p", " · ".join(parts), "tests"), tag("p", _spoken(found, words), "spoken")]
    if answer.teacher is not None:
        names = [one.method for one in answer.teacher.maps]
        if found.method in names:
            alike = answer.teacher.correlations[names.index(found.method)]
            said = (
                "one word: no order to compare"
                if alike is None
                else f"rank correlation with the student's map {number(alike)}"
            )
            line = (
                f"{said}. The teacher, asked the same: {_spoken(answer.teacher.maps[names.index(found.method)], words)}"
            )
        else:
            line = "this method does not read the teacher"
        lines.append(tag("p", f"<b>teacher</b> · {line}", "spoken"))
    return f'<div data-m="{at}"{" hidden" if at else ""}>' + "".join(lines) + "</div>"


def _spoken(found: Map, words: Sequence[Word]) -> str:
    """A map in words: the strongest for the answer and against it."""
    heat = found.drawn(words)
    order = np.argsort(-np.abs(heat), kind="stable").tolist()
    said = []
    for title, sign in (("for it", 1), ("against it", -1)):
        chosen = [place for place in order if sign * heat[place] > 0][:_SPOKEN]
        if chosen:
            listed = ", ".join(f"{named(words[place])} {signed(float(heat[place]))}" for place in chosen)
            said.append(f"{title}: {listed}")
    said = said or ["all words are zero"]
    if found.specials is not None and found.specials.share >= 0.005:
        share = f"{100 * found.specials.share:.0f} % of the map"
        said.append(f"special tokens {signed(found.specials.total)} together ({share}), not drawn")
    return "; ".join(said)


def _shares(exact: Shares, says: str, words: Sequence[Word]) -> str:
    order = np.argsort(-np.abs(np.asarray(exact.shares)), kind="stable").tolist()
    special = [place for place in order if words[place].is_special]
    listed = [(words[place].text, exact.weights[place], exact.shares[place]) for place in order if place not in special]
    if special:
        sums = (sum(each[place] for place in special) for each in (exact.weights, exact.shares))
        listed.append((", ".join(words[place].text for place in sorted(special)), *sums))
    rows = "".join(
        f"<tr><th scope=row>{clean(text)}<td>{100 * weight:.1f} %<td>{signed(share)}" for text, weight, share in listed
    )
    total = sum(exact.shares)
    return (
        f"<details><summary>The logit as an exact sum: {signed(total)} of the tokens {signed(exact.bias)} bias = {number(exact.logit)}</summary>"
        '<div class="scroll"><table class="plain"><thead><tr><th scope=col>word<th scope=col>pooling weight'
        f"<th scope=col>share of the logit of {clean(says)}</thead><tbody>{rows}</tbody><tfoot>"
        f"<tr><th scope=row>sum<td>{100 * sum(exact.weights):.1f} %<td>{signed(total)}<tr><th scope=row>bias<td><td>{signed(exact.bias)}"
        f"<tr><th scope=row>logit<td><td>{number(total + exact.bias)}</tfoot></table></div></details>"
    )
