"""``show_anything``: a report of which the page knows the name alone, as facts and tables."""

from typing import Any

from slimlit.report.html import Html, details, facts, join, quoted, table, tag
from slimlit.report.reading import number

_MOST, _DEEPEST = 60, 3


def show_anything(name: str, report: dict[str, Any]) -> Html | None:
    """The report under its name; what lies too deep or is too long is left out, and that is said."""
    body = _dict(name.replace("-", " ").replace("_", " "), report, 0)
    return join([tag("h3", name.replace("-", " ").replace("_", " ")), body]) if body else None


def _dict(name: str, value: dict[str, Any], depth: int) -> Html | None:
    plain = [(str(key), quoted(_said(one))) for key, one in value.items() if _is_plain(one)]
    rows = {str(key): one for key, one in value.items() if isinstance(one, dict) and one}
    parts = [facts(plain[:_MOST])] if plain else []
    if rows and all(all(_is_plain(cell) for cell in one.values()) for one in rows.values()):
        parts.append(_table(name, [{"": key, **one} for key, one in rows.items()]))
    elif rows:
        inner = [(key, _dict(key, one, depth + 1)) for key, one in rows.items()] if depth < _DEEPEST else []
        parts += [details(key, body) for key, body in inner if body]
    for key, listed in value.items():
        if isinstance(listed, list) and listed and not _is_plain(listed):
            dicts = [one for one in listed if isinstance(one, dict)]
            parts.append(_table(str(key), dicts) if dicts else facts([(str(key), f"{len(listed)} lines")]))
    return join(parts) if parts else None


def _table(name: str, lines: list[dict[str, Any]]) -> Html:
    head = list(dict.fromkeys(str(key) for line in lines for key in line if _is_plain(line[key])))
    rows = [[quoted(_said(line[key])) if key in line else "-" for key in head] for line in lines[:_MOST]]
    more = f"; the first {_MOST} of {len(lines)}" if len(lines) > _MOST else ""
    return table(f"{name}{more}", head, rows)


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict | list) or (
        isinstance(value, list) and len(value) <= 4 and all(map(_is_number, value))
    )


def _is_number(value: Any) -> bool:
    return number(value) is not None


def _said(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no"}.get(value, "-") if value is not None else "-"
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value)
    one = number(value)
    if one is None:
        return str(value)
    return f"{one:,.0f}" if one == int(one) else f"{one:.4g}"
