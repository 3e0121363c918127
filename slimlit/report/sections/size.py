"""How large the student is and how fast: what was pruned, exported and timed."""

from slimlit.report.html import Html, join
from slimlit.report.reading import Found
from slimlit.report.sections.anything import show_anything

NAMES = ("bench", "compress", "compression", "export", "exports", "prune", "pruning", "quantise", "quantisation")


def show_size(found: Found) -> Html | None:
    """Each report of ``bench``, ``compress`` and ``export``."""
    names = [name for name, report in found.reports.items() if name.split("-")[0] in NAMES and report]
    parts = [show_anything(name, found.reports[name]) for name in names]
    return join(parts) if any(parts) else None
