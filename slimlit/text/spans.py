"""``span_scores``: how well predicted tags find the spans of the gold ones, per type and over all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from slimlit.text.bio import Rows, parse_tag, to_bio


@dataclass(frozen=True)
class SpanScore:
    """Precision, recall and F1, from 0 to 1 (0 where they are undefined), and the numbers of spans behind them."""

    precision: float
    recall: float
    f1: float
    num_gold: int
    num_predicted: int
    num_correct: int


@dataclass(frozen=True)
class SpanScores:
    """The scores of each type; ``micro`` counts all spans alike, ``macro`` is the mean over the types."""

    types: dict[str, SpanScore]
    micro: SpanScore
    macro: SpanScore


def span_scores(gold: Rows, predicted: Rows, strict: bool = False) -> SpanScores:
    """Precision, recall and F1 of spans: one counts if its type, start and end are all right.

    Guarantees:
        - it equals seqeval, whose default is conlleval's reading: an I that nothing opened opens a span itself;
        - strict equals seqeval's ``mode="strict", scheme=IOB2``: such an I belongs to no span;
        - a type counts for ``macro`` if gold or predicted tags have a span of it.

    Args:
        gold: the true BIO tags of each text, one per token.
        predicted: the predicted ones.
        strict: leave out what does not start with B.

    Raises:
        ValueError: the rows differ in number or length, or a tag is no BIO; row and token are told, counted from 1.

    Source: Tjong Kim Sang and De Meulder 2003, W03-0419 (conlleval); Nakayama 2018, seqeval 1.2.2.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} rows of gold tags and {len(predicted)} predicted ones\nexpected as many of both")
    for row, (ours, theirs) in enumerate(zip(gold, predicted, strict=True)):
        if len(ours) != len(theirs):
            raise ValueError(
                f"row {row + 1} has {len(ours)} gold tags and {len(theirs)} predicted ones\nexpected one per token in both"
            )
    true, found = find_spans(gold, strict), find_spans(predicted, strict)
    counts: dict[str, list[int]] = {}
    for place, spans in enumerate((true, found, true & found)):
        for _, kind, _, _ in spans:
            counts.setdefault(kind, [0, 0, 0])[place] += 1
    types = {kind: _score(*counts[kind]) for kind in sorted(counts)}
    return SpanScores(types, _score(len(true), len(found), len(true & found)), _mean(list(types.values())))


def find_spans(rows: Rows, strict: bool = False) -> set[tuple[int, str, int, int]]:
    """All spans as (row, type, first token, last token), counted from 0."""
    sound = rows if strict else to_bio(rows, "BIO")[0]
    return {(row, *span) for row, tags in enumerate(sound) for span in _spans_of(tags, row)}


def _spans_of(tags: Sequence[str], row: int) -> Iterator[tuple[str, int, int]]:
    start, open_kind = 0, ""
    for token, tag in enumerate(tags):
        prefix, kind = parse_tag(tag, row, token, "BI")
        if open_kind and not (prefix == "I" and kind == open_kind):
            yield open_kind, start, token - 1
            open_kind = ""
        if prefix == "B":
            start, open_kind = token, kind
    if open_kind:
        yield open_kind, start, len(tags) - 1


def _score(num_gold: int, num_predicted: int, num_correct: int) -> SpanScore:
    precision = num_correct / num_predicted if num_predicted else 0.0
    recall = num_correct / num_gold if num_gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if num_correct else 0.0
    return SpanScore(precision, recall, f1, num_gold, num_predicted, num_correct)


def _mean(scores: list[SpanScore]) -> SpanScore:
    number = max(len(scores), 1)
    return SpanScore(
        sum(score.precision for score in scores) / number,
        sum(score.recall for score in scores) / number,
        sum(score.f1 for score in scores) / number,
        sum(score.num_gold for score in scores),
        sum(score.num_predicted for score in scores),
        sum(score.num_correct for score in scores),
    )
