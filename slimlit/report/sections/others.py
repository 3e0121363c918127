"""Reports that no other section shows."""

from slimlit.report.html import Html, Part, details, join, tag
from slimlit.report.reading import Found
from slimlit.report.sections.anything import show_anything
from slimlit.report.sections.explanations import NAMES as EXPLANATIONS
from slimlit.report.sections.size import NAMES as SIZES

_KNOWN = ("data", "validate", "test", "validation", "audit", *EXPLANATIONS, *SIZES)


def show_others(found: Found) -> Html | None:
    """A line for each; what stands in it too, unless the run is private."""
    names = [name for name, report in found.reports.items() if name.split("-")[0] not in _KNOWN and report]
    parts: list[Part] = []
    for name in names:
        parts.append(tag("p", "This page does not know ", tag("code", f"reports/{name}.json"), "."))
        body = None if found.is_private else show_anything(name, found.reports[name])
        parts.append(details("what stands in it", body) if body else None)
    return join(parts) if parts else None
