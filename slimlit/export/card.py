"""``Card``: what was measured of an export in the runtime it is for, as JSON, as a table for the screen and as a Markdown line."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from slimlit.export.comparison import Comparison
from slimlit.export.metric import Metric
from slimlit.export.sample import Sample

_HEAD = ("export", "MB", "least cosine", "greatest difference", "flips", "metric", "network's", "ms", "PyTorch's ms")


@dataclass(frozen=True)
class Card:
    """The measures of one export; sizes in bytes, times in milliseconds of one thread.

    Args:
        name: of the target, with ``-int8`` where it is.
        run: it was made of.
        files: their sizes.
        texts: how many were read, how long they are and how many had padding beside them.
        measures: differences, cosines, flips.
        metric: of the task; None where the texts have no labels.
        latency: of one text of so many tokens, beside eager PyTorch in float32 in the same minute.
        faults: what it fails by; none where it passed.
        allowed: what it was allowed to fail by.
        versions: of the packages that made and ran it.
        notes: what a reader must know beside the measures, a line each.
    """

    name: str
    run: str
    files: dict[str, int]
    texts: dict[str, Any]
    measures: dict[str, Any]
    metric: Metric | None
    latency: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def num_bytes(self) -> int:
        """Of all files but words about the model."""
        return bytes_of_model(self.files)

    def text(self) -> str:
        """All of it as JSON."""
        return json.dumps({"bytes": self.num_bytes, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    def cells(self) -> list[str]:
        """What stands in its row of a table."""
        numbers, metric = self.measures, self.metric
        times = [self.latency.get(one, {}).get("ms") for one in ("export", "eager PyTorch, fp32")]
        return [
            self.name,
            f"{self.num_bytes / 1e6:.2f}",
            f"{numbers['least cosine']:.5f}",
            f"{numbers['greatest difference']:.2g}",
            f"{numbers['label flips']} of {numbers['places']}",
            "none" if metric is None else f"{metric.name} {metric.exported:.4f}",
            "none" if metric is None else f"{metric.network:.4f}",
            *("" if one is None else f"{one:.2f}" for one in times),
        ]

    def table(self) -> str:
        """A line for each measure."""
        width = max(map(len, _HEAD))
        return "\n".join(f"{name:{width}}  {cell}" for name, cell in zip(_HEAD, self.cells(), strict=True))


def bytes_of_model(files: Mapping[str, int]) -> int:
    """Of all files but words about the model."""
    return sum(size for name, size in files.items() if not name.endswith((".md", ".py")))


def describe(sample: Sample) -> dict[str, Any]:
    """What texts an export was checked on."""
    lengths = sample.lengths
    return {
        "number": len(sample),
        "tokens": {"least": min(lengths), "median": float(np.median(lengths)), "most": max(lengths)},
        "with padding": sample.num_padded,
    }


def measures_of(found: Comparison) -> dict[str, Any]:
    """The numbers of a comparison by name."""
    numbers: dict[str, Any] = {
        "greatest difference": found.greatest_difference,
        "least cosine": found.least_cosine,
        "least cosine of one place": found.least_cosine_of_one,
        "label flips": found.num_flips,
        "places": found.num_places,
    }
    if found.pooling_difference is not None:
        numbers["greatest difference of pooling weights"] = found.pooling_difference
    return numbers


def table_of(cards: Iterable[Path]) -> str:
    """The cards of a run as one Markdown table, a line each.

    Raises:
        ValueError: a card is damaged.
    """
    lines = [f"| {' | '.join(_HEAD)} |", "|" + " --- |" * len(_HEAD)]
    for path in sorted(cards):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            told.pop("bytes")
            told["metric"] = None if told["metric"] is None else Metric(**told["metric"])
            lines.append(f"| {' | '.join(Card(**told).cells())} |")
        except (KeyError, TypeError, ValueError) as problem:
            raise ValueError(f"{path} is damaged: {problem}\nremove it, and export again") from problem
    return "\n".join(lines) + "\n"
