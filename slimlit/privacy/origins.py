"""Origins: beside rows that were made of other texts, a file that says of which, and what their maker owes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from slimlit.privacy.ledger import NAME, Ledger, Stage, machine_key, place_of
from slimlit.runs import write
from slimlit.text.cache import cache_folder

PREPARE = "slimlit prepare"
ORIGINS = "origins"


def origin_of(rows: Path) -> Path:
    """Where the ledger of a file of rows is, if a model wrote them."""
    return rows.with_name(f"{rows.name}.{NAME}")


def origins_of(source: Path) -> list[Path]:
    """The origins there are of a file of rows, or of all files in a folder, and of the data set it is a part of."""
    within = sorted(source.rglob(f"*.{NAME}")) if source.is_dir() else []
    around = [
        origin for folder in Path(source).absolute().parents for origin in sorted((folder / ORIGINS).glob(f"*.{NAME}"))
    ]
    return [origin for origin in (origin_of(source), *within, *around) if origin.is_file()]


def write_origin_file(file: Path, known: Ledger, rows: dict[str, Any], about: str) -> None:
    """Write what rows owe.

    Args:
        file: the origin.
        known: the ledger of what made them.
        rows: the ``source`` and ``split`` they were made of (None: the split they are read as), ``num_units``, and
            the ``run`` that made them; its place is added.
        about: in words.
    """
    rows = {**rows, "place": place_of(str(rows["source"]), machine_key(cache_folder()))}
    write(file, json.dumps({**json.loads(known.text()), "rows": rows, "about": about}, indent=2) + "\n")


def owed_by(stage: Stage, origins: Sequence[Path]) -> Ledger:
    """What the texts of a stage owe, where they were made of others: their maker's ledger, and that they stand for them.

    Args:
        stage: that read them.
        origins: of its source.
    """
    whole = Ledger()
    for origin in origins:
        whole += Ledger.read(origin)
        rows = json.loads(origin.read_text(encoding="utf-8")).get("rows")
        if rows is None:
            whole += Ledger(notes=[f"Of which texts {stage.source} was made: {origin} does not say."])
            continue
        why = f"{rows['run']} made each row of {stage.source} of one of these texts"
        split, count = rows["split"] or stage.split, int(rows["num_units"])
        link = Stage(stage.run, "reading", rows["source"], split, stage.data, count, stage.unit)
        whole += Ledger([replace(link, steps=[], why=why, place=rows.get("place", ""))])
    return whole


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
        write(folder / ORIGINS / f"{number:05}.{NAME}", origin.read_text(encoding="utf-8"))
    for number, source in enumerate(sources, start=len(known)):
        rows = {"source": source, "split": None, "num_units": num_texts, "run": PREPARE}
        about = "The texts of this folder are texts of that source, cleaned; the folder itself hides none."
        write_origin_file(folder / ORIGINS / f"{number:05}.{NAME}", Ledger(), rows, about)
