"""``draw_page``: the whole page of a run from what was found of it."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from slimlit.explain.drawing import STYLE
from slimlit.report.html import Html, Part, tag
from slimlit.report.reading import Found
from slimlit.report.sections.data import show_data
from slimlit.report.sections.errors import show_errors
from slimlit.report.sections.explanations import show_explanations
from slimlit.report.sections.glance import say_what_it_is, show_tiles
from slimlit.report.sections.lineage import show_lineage
from slimlit.report.sections.networks import show_networks
from slimlit.report.sections.others import show_others
from slimlit.report.sections.privacy import show_privacy
from slimlit.report.sections.quality import show_quality
from slimlit.report.sections.reproduce import show_reproduction
from slimlit.report.sections.size import show_size
from slimlit.report.sections.training import show_training
from slimlit.report.sections.writing import show_writing

SECTIONS: tuple[tuple[str, str, Callable[[Found], Html | None]], ...] = (
    ("data", "Data", show_data),
    ("networks", "Teacher and student", show_networks),
    ("training", "Training", show_training),
    ("quality", "Quality", show_quality),
    ("errors", "Errors", show_errors),
    ("writing", "What it writes", show_writing),
    ("privacy", "Privacy", show_privacy),
    ("explanations", "Explanations", show_explanations),
    ("size", "Size and speed", show_size),
    ("others", "Other reports", show_others),
    ("lineage", "Lineage", show_lineage),
    ("reproduce", "How to make it again", show_reproduction),
)
_UNEXPECTED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)  # of a report of another form


def draw_page(found: Found) -> str:
    """One HTML document that opens from disk, fetches nothing and runs no script but its own.

    Guarantees:
        - a section stands in it where there is something to show, and no other;
        - a report that is damaged, or has another form than expected, becomes a line that says so;
        - every text is escaped, and a content-security policy allows the page's own style and script by their hashes alone.
    """
    problems = list(found.problems)
    tiles = _tried("the glance", show_tiles, found, problems)
    shown = [(key, title, body) for key, title, show in SECTIONS if (body := _tried(title, show, found, problems))]
    if problems:
        listed = tag("ul", *(tag("li", problem) for problem in problems))
        shown.append(("problems", "What could not be read", listed))
    style, script = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    style += STYLE.removeprefix("<style>").removesuffix("</style>")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{found.run.name} · slimlit"),
        tag("style", Html(style)),
    )
    links = [tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in shown]
    sections = [
        tag("section", tag("h2", title, id=f"{key}-title"), body, id=key, aria_labelledby=f"{key}-title")
        for key, title, body in shown
    ]
    parts: list[Part] = [
        tag("a", "to the content", href="#content", class_="skip"),
        tag("header", tag("h1", found.run.name), tag("p", say_what_it_is(found), class_="what"), tiles),
        tag("nav", tag("ul", *links), aria_label="sections"),
        tag("main", *sections, id="content", tabindex="-1"),
        tag("footer", tag("p", "Written by slimlit from the files beside this page.")),
        tag("script", Html(script)),
    ]
    return f"<!doctype html>\n{tag('html', head, tag('body', *parts), lang='en')}\n"


def _tried(title: str, show: Callable[[Found], Html | None], found: Found, problems: list[str]) -> Html | None:
    try:
        return show(found)
    except _UNEXPECTED as problem:
        problems.append(f"{title}: a report has another form than expected ({type(problem).__name__}: {problem})")
        return None


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
