"""Span scores equal seqeval's."""

import random
import warnings

import pytest
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as lenient
from seqeval.metrics.v1 import precision_recall_fscore_support as by_scheme
from seqeval.scheme import IOB2

from slimlit.text.spans import SpanScore, span_scores
from tests.text.test_bio import random_rows


def noisy(rows: list[list[str]], seed: int) -> list[list[str]]:
    """The same rows, every third tag or so another one."""
    draw = random.Random(seed)
    choices = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG"]
    return [[draw.choice(choices) if draw.random() < 0.3 else tag for tag in row] for row in rows]


def numbers(score: SpanScore) -> tuple[float, float, float, int]:
    return score.precision, score.recall, score.f1, score.num_gold


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_scores_equal_seqevals_on_random_tags_sound_or_broken(seed: int, strict: bool) -> None:
    gold = random_rows("BI", seed)
    predicted = noisy(gold, seed + 100)
    ours = span_scores(gold, predicted, strict)
    with warnings.catch_warnings(action="ignore"):  # of types that are never predicted
        per_type, micro, macro = (
            by_scheme(gold, predicted, average=average, scheme=IOB2)
            if strict
            else lenient(gold, predicted, average=average)
            for average in (None, "micro", "macro")
        )
    assert numbers(ours.micro) == pytest.approx(micro, rel=1e-12)
    assert numbers(ours.macro) == pytest.approx(macro, rel=1e-12)
    assert list(ours.types) == ["LOC", "ORG", "PER"]
    for place, score in enumerate(ours.types.values()):
        assert numbers(score) == pytest.approx([column[place] for column in per_type], rel=1e-12)


def test_a_span_counts_if_type_start_and_end_are_right() -> None:
    gold = [["B-PER", "I-PER", "O", "B-LOC"]]
    predicted = [["B-PER", "O", "O", "B-LOC"]]
    scores = span_scores(gold, predicted)
    assert scores.types["LOC"] == SpanScore(1.0, 1.0, 1.0, 1, 1, 1)
    assert scores.types["PER"] == SpanScore(0.0, 0.0, 0.0, 1, 1, 0)
    assert (scores.micro.f1, scores.macro.f1) == (0.5, 0.5)


def test_an_i_that_nothing_opened_opens_a_span_unless_strict() -> None:
    gold, predicted = [["O", "B-PER", "I-PER"]], [["O", "I-PER", "I-PER"]]
    assert span_scores(gold, predicted).micro.f1 == 1
    assert span_scores(gold, predicted, strict=True).micro == SpanScore(0.0, 0.0, 0.0, 1, 0, 0)


def test_a_span_ends_with_its_row() -> None:
    assert span_scores([["B-X"], ["I-X"]], [["B-X"], ["I-X"]]).micro.num_gold == 2


def test_texts_without_spans_score_zero() -> None:
    scores = span_scores([["O"], []], [["O"], []])
    assert scores.types == {}
    assert scores.micro == scores.macro == SpanScore(0.0, 0.0, 0.0, 0, 0, 0)


def test_rows_that_differ_in_number_or_length_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows of gold tags and 0 predicted"):
        span_scores([["O"]], [])
    with pytest.raises(ValueError, match="row 2 has 2 gold tags and 1 predicted"):
        span_scores([["O"], ["O", "O"]], [["O"], ["O"]])


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_no_bio_tag_is_refused_with_row_and_token(strict: bool) -> None:
    with pytest.raises(ValueError, match="row 2, token 1: 'S-X' is no tag"):
        span_scores([["O"], ["S-X"]], [["O"], ["O"]], strict)
