"""Agreement of explanations: by hand, at chance, and across tokenizers."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from slimlit.explain.agreement import agreement, by_common_word, by_word, chance_overlap, top_overlap
from slimlit.explain.words import Word


def maps(*rows: list[float]) -> list[np.ndarray]:
    return [np.asarray(row, dtype=float) for row in rows]


def test_rank_correlation_is_spearmans_with_ties_sharing_their_mean_rank() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        one, other = random.integers(0, 4, (2, 9)).astype(float)
        found = agreement([one], [other]).rank_correlation.mean
        assert found == pytest.approx(spearmanr(one, other).statistic, abs=1e-12)


def test_the_overlap_of_the_strongest_words_by_hand() -> None:
    one, other = maps([5, 4, 3, 2, 1], [5, 1, 2, 4, 3])
    assert top_overlap(one, other, 1) == 1.0
    assert top_overlap(one, other, 2) == 0.5  # words 0 and 1 against 0 and 3
    assert top_overlap(one, other, 3) == pytest.approx(1 / 3)  # 0, 1, 2 against 0, 3, 4
    assert top_overlap(one, other, 9) == 1.0


def test_equal_numbers_overlap_as_the_mean_over_all_choices_among_them() -> None:
    one, other = maps([3, 2, 2, 2, 0], [1, 1, 0, 0, 1])

    def choices(values: np.ndarray) -> list[set[int]]:
        orders = permutations(range(5))
        return [set(order[:2]) for order in orders if sorted(values[list(order)])[::-1] == values[list(order)].tolist()]

    pairs = [len(a & b) / 2 for a in choices(one) for b in choices(other)]
    assert top_overlap(one, other, 2) == pytest.approx(np.mean(pairs))


def test_a_map_that_says_nothing_overlaps_as_much_as_chance() -> None:
    one, flat = maps([4, 9, 1, 0, 3, 3, 7], [2] * 7)
    assert top_overlap(one, flat) == pytest.approx(chance_overlap(7))
    assert top_overlap(flat, flat) == pytest.approx(3 / 7)


def test_random_maps_agree_at_chance_within_their_interval() -> None:
    random = np.random.default_rng(1)
    ours, theirs = ([random.standard_normal(size) for size in range(5, 205)] for _ in range(2))
    found = agreement(ours, theirs)
    assert found.rank_correlation.low < 0 < found.rank_correlation.high
    assert found.top_overlap.low < found.chance < found.top_overlap.high
    assert found.num_texts == 200


def test_any_order_preserving_change_of_either_changes_nothing_and_neither_does_the_order_of_the_two() -> None:
    random = np.random.default_rng(2)
    ours, theirs = ([random.standard_normal(8) for _ in range(6)] for _ in range(2))
    found = agreement(ours, theirs)
    assert agreement([np.exp(3 * one) - 7 for one in ours], theirs) == found
    assert agreement(theirs, ours) == found
    assert agreement(ours, ours).rank_correlation.low == 1.0


def test_texts_of_fewer_than_three_words_are_left_out_and_counted() -> None:
    found = agreement(maps([1, 2], [1, 2, 3], [1]), maps([2, 1], [1, 2, 3], [1]))
    assert (found.num_texts, found.num_left_out, found.rank_correlation.mean) == (1, 2, 1.0)


def test_maps_of_other_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="maps of 1 texts and of 2, whose words do not match"):
        agreement(maps([1, 2, 3]), maps([1, 2, 3], [1, 2, 3]))
    with pytest.raises(ValueError, match="no text of the 1 has 3 words"):
        agreement(maps([1, 2]), maps([1, 2]))
    with pytest.raises(ValueError, match="k is 0"):
        agreement(maps([1, 2, 3]), maps([1, 2, 3]), k=0)


def test_two_tokenizations_are_compared_by_the_pieces_that_both_cut_out_whole() -> None:
    bert = [Word("[CLS]", (0,), is_special=True), Word("don", (1,)), Word("'", (2,), True), Word("t", (3,), True)]
    bert += [Word("unwind", (4, 5, 6)), Word(".", (7,), True), Word("[SEP]", (8,), is_special=True)]
    bytes_ = [Word("don", (0,)), Word("'t", (1,), True), Word("unwind.", (2, 3))]
    ours, theirs = by_common_word(
        np.asarray([9, 1, 2, 3, 4, 5, 6, 7, 9.0]), bert, np.asarray([10, 20, 30, 40.0]), bytes_
    )
    assert ours.tolist() == [1, 5, 22]
    assert theirs.tolist() == [10, 20, 70]
    numbers = np.arange(9.0)
    for one in by_common_word(numbers, bert, numbers, bert):
        assert one.tolist() == by_word(numbers, bert).tolist()


def test_a_text_that_one_tokenizer_cut_off_counts_as_far_as_it_goes() -> None:
    whole, cut = [Word(text, (at,)) for at, text in enumerate("abc")], [Word("a", (0,)), Word("b", (1,))]
    assert [one.tolist() for one in by_common_word(np.ones(3), whole, np.ones(2), cut)] == [[1, 1], [1, 1]]
    with pytest.raises(ValueError, match="the words are of two texts: 'b' stands where the other has 'x'"):
        by_common_word(np.ones(2), cut, np.ones(2), [Word("a", (0,)), Word("x", (1,))])
