"""What a network that writes has written, beside what it was asked and what the teacher wrote."""

from slimlit.report.html import Html, details, join, quoted, tag
from slimlit.report.reading import Found

_TABLES = ("test-outputs", "validation-outputs", "test-replies")
_FIRST, _MOST = 4, 50


def show_writing(found: Found) -> Html | None:
    """A card for each text; of a private run those of the public texts that were named for it."""
    parts = [_cards(found, name) for name in _TABLES if len(found.tables.get(name, [])) > 1 and _is_open(found, name)]
    return join(parts) if parts else None


def _is_open(found: Found, table: str) -> bool:
    given = [
        settings.get("texts") for name, settings in found.callbacks().items() if name.endswith(".GenerationReport")
    ]
    return not found.is_private or (table.endswith("-outputs") and any(given))


def _cards(found: Found, name: str) -> Html:
    head, *lines = found.tables[name]
    split, _, kind = name.partition("-")
    cards = []
    for line in lines[:_MOST]:
        said = [
            (key.replace("_", " "), text) for key, text in zip(head, line, strict=False) if text and key != "example_id"
        ]
        cards.append(tag("li", tag("dl", *(tag("div", tag("dt", key), tag("dd", quoted(text))) for key, text in said))))
    rest = cards[_FIRST:]
    return join(
        [
            tag("h3", f"{split}: {kind}"),
            tag("ol", *cards[:_FIRST], class_="cards"),
            details(f"{len(rest)} more", tag("ol", *rest, class_="cards", start=_FIRST + 1)) if rest else None,
        ]
    )
