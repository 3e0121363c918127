"""Scores of what was written against references, by the names a task's ``metrics`` take."""

from collections.abc import Sequence
from typing import Literal

from slimlit.text.scores import TextScore, bleu, chrf, rouge

Metric = Literal["bleu", "chrf", "rouge"]


def score_texts(
    metrics: Sequence[Metric], written: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> dict[str, TextScore]:
    """The scores of all texts together, by name, each with its signature; ``rouge`` is three of them."""
    found: dict[str, TextScore] = {}
    for metric in metrics:
        if metric == "rouge":
            found |= rouge(written, references, language)
        else:
            found[metric] = {"bleu": bleu, "chrf": chrf}[metric](written, references, language)
    return found
