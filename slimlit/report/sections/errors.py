"""The answers that are wrong, the most confident first; with their reasons, where ``explain --errors`` wrote them."""

from typing import Any

from slimlit.report.html import Html, Part, details, facts, is_chinese, join, quoted, tag
from slimlit.report.reading import Found, number
from slimlit.report.sections.reasons import show_explained, show_reasons

Span = tuple[str, int, int]  # an entity's type, first and last word

_SPLITS = ("test", "validation")
_CHOICES = {"label": "label", "predicted": "student says", "type": "mistakes with"}
_MOST = 100


def show_errors(found: Found) -> Html | None:
    """A list for each split, to be narrowed to one label; none of a private run."""
    if found.is_private:
        return None
    lists = [part for split in _SPLITS if (part := _split(found, split)) is not None]
    lists = lists or [part for part in [show_explained(found)] if part is not None]
    return join([lists[0], *(details("the same of validation", part) for part in lists[1:])]) if lists else None


def _split(found: Found, split: str) -> Html | None:
    report = found.reports.get(f"{split}-worst", {})
    worst = [one for one in report.get("worst") or [] if isinstance(one, dict)] or _from_table(found, split)
    if not worst:
        return None
    items = [_item(found, split, one) for one in worst[:_MOST]]
    counts = [number(report.get(name)) for name in ("wrong", "examples")]
    how_many = f"{counts[0]:,.0f} of {counts[1]:,.0f} are wrong; " if None not in counts else ""
    are_sentences = "mistakes" in worst[0] or "expected" in worst[0]
    order = "the most mistakes first" if are_sentences else "the most confident first"
    choices = [_choice(split, name, title, worst) for name, title in _CHOICES.items()]
    shown = tag("p", f"{len(items)} shown", class_="shown muted", aria_live="polite")
    return tag(
        "div",
        tag("h3", f"{split}: {how_many}{len(items)} of them, {order}"),
        tag("div", *choices, shown, class_="choices") if any(choices) else None,
        tag("ol", *items, class_="errors long" if are_sentences else "errors"),
        class_="browser",
    )


def _from_table(found: Found, split: str) -> list[dict[str, Any]]:
    """The same of a run that was made before the lists were JSON."""
    lines = found.tables.get(f"{split}-worst", [])
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def _kinds(one: dict[str, Any]) -> dict[str, list[str]]:
    """What an answer can be chosen by: its label, what the student says, and the types of entities it has wrong."""
    kinds = {name: [one[name]] for name in ("label", "predicted") if isinstance(one.get(name), str) and one[name]}
    true, said = (_spans(one.get(name)) if "words" in one else [] for name in ("expected", "predicted"))
    wrong = sorted({kind for kind, first, last in {*true} ^ {*said}})
    return {**kinds, "type": wrong} if wrong else kinds


def _choice(split: str, name: str, title: str, worst: list[dict[str, Any]]) -> Html | None:
    values = sorted({value for one in worst for value in _kinds(one).get(name, [])})
    if len(values) < 2:
        return None
    options = [tag("option", "all", value=""), *(tag("option", value, value=value) for value in values)]
    return tag("label", f"{title} ", tag("select", *options, id=f"{split}-{name}", data_by=name))


def _item(found: Found, split: str, one: dict[str, Any]) -> Html:
    kinds, row = _kinds(one), one.get("example_id")
    said: list[tuple[str, Part]] = []
    if "label" in kinds:
        said.append(("label", quoted(one["label"])))
    if "predicted" in kinds:
        probability = _as_number(one.get("probability"))
        sure = f", {100 * probability:.1f} % sure" if probability is not None else ""
        said.append(("student", join([quoted(one["predicted"]), sure])))
    if one.get("teacher"):
        said.append(("teacher", quoted(str(one["teacher"]))))
    said += [(name.replace("_", " "), quoted(str(one[name]))) for name in ("missed", "made_up") if one.get(name)]
    said.append(("row", str(row)))
    reasons = show_reasons(found, split, row)
    body = _sentence(one) if isinstance(one.get("words"), list) else reasons or _texts(one)
    chosen_by = {f"data_{name}": "\n".join(values) for name, values in kinds.items()}
    return tag("li", body, facts(said, "facts line"), **chosen_by)


def _texts(one: dict[str, Any]) -> Html:
    texts = [str(one[name]) for name in ("text", "pair", "words") if one.get(name)]
    return join(tag("blockquote", quoted(text)) for text in texts)


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _sentence(one: dict[str, Any]) -> Html:
    """Its words twice: with the entities that are there, and with those that were found."""
    words = [str(word) for word in one["words"]]
    true, said = (_spans(one.get(name)) for name in ("expected", "predicted"))
    rows = [("is", true, said, "missed"), ("found", said, true, "made-up")]
    lines = [
        tag("div", tag("span", name, class_="side"), tag("p", _marked(words, spans, others, kind)))
        for name, spans, others, kind in rows
    ]
    return tag("div", *lines, class_="readings")


def _spans(listed: Any) -> list[Span]:
    spans = [(str(kind), int(first), int(last)) for kind, first, last in listed or []]
    return sorted(spans, key=lambda span: span[1])


def _marked(words: list[str], spans: list[Span], others: list[Span], wrong: str) -> Html:
    gap = "" if is_chinese("".join(words)) else " "
    parts: list[Part] = []
    place = 0
    for kind, first, last in spans:
        if place <= first <= last < len(words):
            is_wrong = (kind, first, last) not in others
            told = tag("span", f" ({wrong.replace('-', ' ')})", class_="unseen") if is_wrong else None
            mark = tag(
                "mark", gap.join(words[first : last + 1]), tag("sub", kind), told, class_=wrong if is_wrong else "right"
            )
            parts += [gap.join([*words[place:first], ""]) or None, mark, gap]
            place = last + 1
    parts.append(gap.join(words[place:]))
    return tag("span", join(parts), dir="auto", lang="zh" if gap == "" else None)
