"""``judge``: what of an export is worse than may be, in words that name the option to take it all the same."""

from collections.abc import Collection

from slimlit.export.comparison import Comparison
from slimlit.export.metric import Metric

LEAST_COSINE = 0.998
GREATEST_LOSS = 0.5  # points of the task's metric
GREATEST_POOLING = 0.1  # of a pooling weight, of which those of a text and head are 1 together
ALLOWABLE = ("cosine", "metric", "words", "pooling")


def judge(found: Comparison, metric: Metric | None, allow: Collection[str], words_differ: int = 0) -> list[str]:
    """What an export fails by, each in a line; nothing where it may pass, or what it fails by is allowed."""
    faults = {}
    if not found.least_cosine >= LEAST_COSINE:
        faults["cosine"] = f"its least cosine is {found.least_cosine:.4f}; expected {LEAST_COSINE} or more"
    if metric is not None and not metric.loss <= GREATEST_LOSS:
        faults["metric"] = (
            f"its {metric.name} is {metric.exported:.4f} where the network's is {metric.network:.4f}, {metric.loss:.2f} points worse; "
            f"expected {GREATEST_LOSS} at most"
        )
    if found.pooling_difference is not None and not found.pooling_difference <= GREATEST_POOLING:
        faults["pooling"] = (
            f"a pooling weight differs by {found.pooling_difference:.3f}; expected {GREATEST_POOLING} at most"
        )
    if words_differ:
        faults["words"] = (
            f"it writes other words than the network after {words_differ} prompts; expected the same, word for word"
        )
    return [f"{said} (--allow {name} takes it all the same)" for name, said in faults.items() if name not in allow]
