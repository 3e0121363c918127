"""The answers that are wrong, the most confident first; with their reasons, where ``explain --errors`` wrote them."""

from typing import Any

from slimlit.report.html import Html, Part, facts, join, quoted, tag
from slimlit.report.reading import Found, number

_SPLITS = ("test", "validation")
_MOST = 100


def show_errors(found: Found) -> Html | None:
    """A list for each split, to be narrowed to one label; none of a private run."""
    if found.is_private:
        return None
    lists = [part for split in _SPLITS if (part := _split(found, split)) is not None]
    return join(lists) if lists else None


def _split(found: Found, split: str) -> Html | None:
    report = found.reports.get(f"{split}-worst", {})
    worst = [one for one in report.get("worst") or [] if isinstance(one, dict)] or _from_table(found, split)
    if not worst:
        return None
    items = [_item(one) for one in worst[:_MOST]]
    counts = [number(report.get(name)) for name in ("wrong", "examples")]
    how_many = f"{counts[0]:,.0f} of {counts[1]:,.0f} are wrong; " if None not in counts else ""
    order = "the most mistakes first" if "mistakes" in worst[0] or "words" in worst[0] else "the most confident first"
    said = f"{split}: {how_many}{len(items)} of them, {order}"
    choices = [_choice(split, name, worst) for name in ("label", "predicted")]
    shown = tag("p", f"{len(items)} shown", class_="shown muted", aria_live="polite")
    return tag(
        "div",
        tag("h3", said),
        tag("div", *choices, shown, class_="choices") if any(choices) else None,
        tag("ol", *items, class_="errors"),
        class_="browser",
    )


def _from_table(found: Found, split: str) -> list[dict[str, Any]]:
    """The same of a run that was made before the lists were JSON."""
    lines = found.tables.get(f"{split}-worst", [])
    return [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]


def _choice(split: str, name: str, worst: list[dict[str, Any]]) -> Html | None:
    values = sorted({str(one[name]) for one in worst if one.get(name) not in (None, "")})
    if len(values) < 2:
        return None
    options = [tag("option", "all", value=""), *(tag("option", value, value=value) for value in values)]
    key = f"{split}-{name}"
    return tag(
        "label", f"{'label' if name == 'label' else 'student says'} ", tag("select", *options, id=key, data_by=name)
    )


def _item(one: dict[str, Any]) -> Html:
    names = {key: str(one[key]) for key in ("label", "predicted") if one.get(key) not in (None, "")}
    said: list[tuple[str, Part]] = []
    if "label" in names:
        said.append(("label", names["label"]))
    if "predicted" in names:
        probability = number(one.get("probability")) or _as_number(one.get("probability"))
        sure = f", {100 * probability:.1f} % sure" if probability is not None else ""
        said.append(("student", f"{names['predicted']}{sure}"))
    if one.get("teacher"):
        said.append(("teacher", str(one["teacher"])))
    said += [(name.replace("_", " "), quoted(str(one[name]))) for name in ("missed", "made_up") if one.get(name)]
    body = _sentence(one) if isinstance(one.get("words"), list) else _texts(one)
    data = {f"data_{name}": value for name, value in names.items()}
    return tag(
        "li", body, facts(said) if said else None, tag("span", f"row {one.get('example_id')}", class_="muted"), **data
    )


def _texts(one: dict[str, Any]) -> Html:
    texts = [str(one[name]) for name in ("text", "pair", "words") if one.get(name)]
    return join(tag("blockquote", quoted(text)) for text in texts)


def _as_number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _sentence(one: dict[str, Any]) -> Html:
    """Its words; below them what stands there and what was found."""
    words = [str(word) for word in one["words"]]
    true, said = (_spans(one.get(name), len(words)) for name in ("expected", "predicted"))
    rows = [("is", true, said, "missed"), ("found", said, true, "made-up")]
    lines = [
        tag("div", tag("span", name, class_="side"), tag("p", _marked(words, spans, others, kind)))
        for name, spans, others, kind in rows
    ]
    return tag("div", *lines, class_="readings")


def _spans(listed: Any, num_words: int) -> list[tuple[str, int, int]]:
    spans = [(str(kind), int(first), int(last)) for kind, first, last in listed or []]
    return [span for span in sorted(spans, key=lambda span: span[1]) if 0 <= span[1] <= span[2] < num_words]


def _marked(words: list[str], spans: list[Any], others: list[Any], wrong: str) -> Html:
    parts: list[Part] = []
    place = 0
    for kind, first, last in spans:
        if first < place:
            continue
        parts.append(quoted(" ".join([*words[place:first], ""])) if first > place else None)
        is_wrong = (kind, first, last) not in others
        mark = tag(
            "mark", quoted(" ".join(words[first : last + 1])), tag("sub", kind), class_=wrong if is_wrong else "right"
        )
        parts += [mark, " "]
        place = last + 1
    parts.append(quoted(" ".join(words[place:])) if place < len(words) else None)
    return join(parts)
