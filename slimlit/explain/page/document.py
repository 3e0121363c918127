"""``draw_page``: the document around the texts: head with its content security policy, what is known, legend, list of texts."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from slimlit.explain.page.article import draw_article
from slimlit.explain.page.markup import beginning, tag
from slimlit.explain.records import Explanation
from slimlit.report.html import text as clean

BUDGET = 50_000  # bytes of a page for each of its texts
NO_EXAM = "No exam was taken yet: what these methods are worth on this network is not known. Take it:"


def draw_page(explanation: Explanation) -> str:
    """One HTML document that opens from disk and asks nothing of any network.

    Guarantees:
        - its one script and its one style stand in it and are named by their hashes in a content security policy that
          allows nothing else;
        - it takes 50,000 bytes an example at most, all attention maps packed as fine as fit, unless a text alone takes more;
        - what is not known (a grade, a teacher, a map too large) is said.
    """
    style, script = (_read(f"page.{ending}") for ending in ("css", "js"))
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'; form-action 'none'"
    )
    title = f"Why {clean(explanation.run)} answers so"
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n"
    )
    methods = _methods(explanation)
    top = [
        '<a class="skip" href="#e1">to the first text</a>' if explanation.examples else "",
        f"<header>\n<h1>{title}</h1>\n{_what(explanation)}{_exam(explanation)}{_legend()}</header>",
        _chooser(methods),
        _contents(explanation),
        "<main>",
    ]
    opened = head + "<body>\n" + "\n".join(part for part in top if part)
    closed = (
        "</main>\n<footer><p>Written by <code>slimlit explain</code>. A map says what spoke for an answer of this network, "
        f"not what is true of the world.</p></footer>\n<script>{script}</script>\n</body>\n</html>\n"
    )
    around = len((opened + closed).encode())
    budget = BUDGET - -(-around // max(1, len(explanation.examples))) - 1
    articles = [
        draw_article(number, example, methods, explanation, budget)
        for number, example in enumerate(explanation.examples, 1)
    ]
    return "\n".join([opened, *articles, closed])


def _read(name: str) -> str:
    """A file beside this one, without its indentation."""
    lines = files(__package__).joinpath(name).read_text(encoding="utf-8").splitlines()
    return "\n".join(line.strip() for line in lines)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _methods(explanation: Explanation) -> list[str]:
    answers = [answer for example in explanation.examples for answer in example.answers]
    return [one.method for one in answers[0].maps] if answers else []


def _what(explanation: Explanation) -> str:
    wrong = sum(any(answer.is_wrong for answer in example.answers) for example in explanation.examples)
    count = len(explanation.examples)
    kind = explanation.kind.replace("_", " ").replace(" lm", " language model")
    parts = [f"{count} text{'s' if count != 1 else ''}, {kind}."]
    if wrong:
        parts.append(f"{wrong} with a wrong answer.")
    parts.append(
        f"Beside it: its teacher, {clean(explanation.teacher)}." if explanation.teacher else "No teacher beside it."
    )
    notes = "".join(tag("p", clean(note), "note") for note in explanation.notes)
    return tag("p", " ".join(parts)) + notes


def _exam(explanation: Explanation) -> str:
    if explanation.grades is None:
        command = tag("code", f"slimlit explain --run {clean(explanation.source)} --exam")
        return tag("p", f"{NO_EXAM} {command}", "note")
    rows = "".join(
        f"<tr><th scope=row>{clean(one.method)}</th><td>{clean(one.grade)}</td><td>{clean(one.why)}</td></tr>"
        for one in explanation.grades
    )
    head = "<tr><th scope=col>method</th><th scope=col>grade</th><th scope=col>numbers</th></tr>"
    table = f'<div class="scroll"><table class="plain told"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
    bases = dict.fromkeys(one.basis for one in explanation.grades if one.basis)
    said = "".join(tag("p", clean(f"The exam: {basis}."), "note") for basis in bases)
    return f"<details><summary>The exam of the methods on this run</summary>{table}{said}</details>\n"


def _legend() -> str:
    shades = "".join(
        f'<span class="{kind}{level}">&nbsp;</span>'
        for kind, levels in (("n", (8, 5, 2)), ("p", (2, 5, 8)))
        for level in levels
    )
    return (
        f'<p class="legend"><span>against the answer</span><span class="text" aria-hidden="true">{shades}</span><span>for it</span></p>\n'
        "<details><summary>How to read this</summary><ul>"
        "<li>Full colour is the strongest word of each map; words against the answer are underlined with dots as well. Special tokens ([CLS], [SEP]) are not coloured: no test takes them away; their sum is said.</li>"
        "<li><b>Comprehensiveness</b>: how much the answer's probability falls when the map's strongest words are taken away (more is better). "
        "<b>Sufficiency</b>: how much it falls when only they are kept (less is better). Taken away or kept is the first fifth of the words. Both stand beside the mean of twelve random orders of the same words. A row is <b>better than random</b> where it is better than the mean in both, and than each of the twelve in their sum: of random maps one in thirteen may be called so too. <b>Not told from random</b>: this text shows nothing for the map.</li>"
        "<li>The <b>exam</b> grades a method on this very network in three parts that are never added up: whether it finds planted truth, whether what it names matters more than random words, whether it changes when the weights turn to noise. "
        "It does not say that each single map is right.</li>"
        "<li><b>Attention</b> is where layers looked; by itself it is no explanation.</li>"
        "<li>Keys: <kbd>1</kbd>–<kbd>9</kbd> the method, <kbd>j</kbd> and <kbd>k</kbd> the next and the last text; arrows choose among answers, methods and heads.</li>"
        "</ul></details>\n"
    )


def _chooser(methods: Sequence[str]) -> str:
    if not methods:
        return ""
    choices = "".join(
        f'<label><input type="radio" name="method" value="{number}"{" checked" if not number else ""}><span>{number + 1} {clean(name)}</span></label>'
        for number, name in enumerate(methods)
    )
    return f'<form class="bar" id="methods" hidden><fieldset><legend>Method</legend>{choices}</fieldset></form>'


def _contents(explanation: Explanation) -> str:
    if len(explanation.examples) < 2:
        return ""
    items = "".join(
        f'<li><a href="#e{number}">{clean(beginning(example))}</a>{_mark(example.answers)}</li>'
        for number, example in enumerate(explanation.examples, 1)
    )
    return f'<nav aria-label="texts"><details><summary>All {len(explanation.examples)} texts</summary><ol>{items}</ol></details></nav>'


def _mark(answers: Sequence[object]) -> str:
    return ' <span class="bad">wrong</span>' if any(getattr(one, "is_wrong", False) for one in answers) else ""
