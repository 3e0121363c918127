"""Origins: beside rows that were made of other texts, a file that says of which, and what their maker owes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slimlit.privacy.ledger import NAME, Ledger
from slimlit.runs import write

PREPARE = "slimlit prepare"


def origin_of(rows: Path) -> Path:
    """Where the ledger of a file of rows is, if a model wrote them."""
    return rows.with_name(f"{rows.name}.{NAME}")


def origins_of(source: Path) -> list[Path]:
    """The origins there are of a file of rows, or of all files in a folder."""
    within = sorted(source.rglob(f"*.{NAME}")) if source.is_dir() else []
    return [origin for origin in (origin_of(source), *within) if origin.is_file()]


def write_origin_file(file: Path, known: Ledger, rows: dict[str, Any], about: str) -> None:
    """Write what rows owe.

    Args:
        file: the origin.
        known: the ledger of what made them.
        rows: the ``source`` and ``split`` they were made of (None: the split they are read as), ``num_units``, and
            the ``run`` that made them.
        about: in words.
    """
    write(file, json.dumps({**json.loads(known.text()), "rows": rows, "about": about}, indent=2) + "\n")


def carry_origins(folder: Path, sources: Sequence[str], files: Sequence[Path], num_texts: int) -> None:
    """Write into a data set made of texts where they are from, and the origins of those that were made themselves.

    Args:
        folder: of the data set.
        sources: as they were named.
        files: that were read.
        num_texts: in them.
    """
    known = dict.fromkeys(origin for path in [*map(Path, sources), *files] for origin in origins_of(path.expanduser()))
    for number, origin in enumerate(known):
        write(folder / "origins" / f"{number:05}.{NAME}", origin.read_text(encoding="utf-8"))
    for number, source in enumerate(sources, start=len(known)):
        rows = {"source": source, "split": None, "num_units": num_texts, "run": PREPARE}
        about = "The texts of this folder are texts of that source, cleaned; the folder itself hides none."
        write_origin_file(folder / "origins" / f"{number:05}.{NAME}", Ledger(), rows, about)
