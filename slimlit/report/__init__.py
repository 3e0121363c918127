"""``write_page``: the page of a run, ``report.html``, from what its directory holds."""

from pathlib import Path

from slimlit.report.page import draw_page
from slimlit.report.reading import read_run
from slimlit.runs import Run, write


def write_page(run: Run) -> Path:
    """Write ``runs/NAME/report.html`` anew, whole or not at all; call it after a report was written, on rank 0."""
    write(run.page, draw_page(read_run(run)))
    return run.page


__all__ = ["write_page"]
