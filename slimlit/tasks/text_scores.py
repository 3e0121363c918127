"""Scores of what was written against references, by the names a task's ``metrics`` take."""

from collections.abc import Sequence
from typing import Literal

Metric = Literal["bleu", "chrf", "rouge"]


def score_texts(
    metrics: Sequence[Metric], written: Sequence[str], references: Sequence[Sequence[str]], language: str
) -> dict[str, float]:
    """TEMPORARY until branch download has slimlit/text/scores.py."""
    import sacrebleu

    most = max(map(len, references))
    columns = [[(one[number] if number < len(one) else None) for one in references] for number in range(most)]
    found = {}
    for metric in metrics:
        if metric == "bleu":
            found["bleu"] = sacrebleu.corpus_bleu(
                list(written), columns, tokenize="zh" if language == "zh" else "13a"
            ).score
        elif metric == "chrf":
            found["chrf"] = sacrebleu.corpus_chrf(list(written), columns).score
    return found
