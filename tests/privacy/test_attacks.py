"""Membership inference: scores and measures by hand, no alarm where there is nothing, and found where there is something."""

import math

import numpy as np
import pytest

from slimlit.privacy.attacks import (
    Attack,
    Texts,
    WordCounts,
    by_likelihood_ratio,
    by_loss,
    by_words,
    confidence_of,
    over_labels,
    rate_interval,
)
from slimlit.privacy.audit import Audit, Claim, attack_canaries, attack_real

WORDS = 50


def texts(num: int, random: np.random.Generator, gain: float = 0.0, spread: float = 1.0, first: int = 0) -> Texts:
    """Texts of two classes told by their words, and the logits of a model surer of the labels by ``gain``.

    A quarter of the texts is hard: its words speak for the other class, and the confidence goes with that.
    """
    labels = random.integers(0, 2, num)
    hard = random.random(num) < 0.25
    seeming = labels ^ hard
    words = [random.integers(first + 20 * side, first + 20 * side + 22, 12) for side in seeming]
    margin = np.where(hard, -2.0, 2.0) * spread + gain + 0.3 * random.standard_normal(num)
    logits = np.zeros((num, 2))
    logits[np.arange(num), labels] = margin
    return Texts(logits, labels, words)


def test_the_auc_is_the_share_of_pairs_in_order_and_ties_count_half() -> None:
    random = np.random.default_rng(0)
    members, others = random.integers(0, 6, 40).astype(float), random.integers(0, 5, 30).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in members for b in others]
    assert Attack("x", members, others).auc == pytest.approx(np.mean(pairs), rel=1e-12)


def test_the_interval_is_delongs() -> None:
    random = np.random.default_rng(1)
    members, others = random.standard_normal(25) + 0.5, random.standard_normal(35)
    order = (members[:, None] > others[None, :]).astype(float)
    variance = order.mean(axis=1).var(ddof=1) / 25 + order.mean(axis=0).var(ddof=1) / 35
    low, high = Attack("x", members, others).interval()
    assert (high - low) / 2 == pytest.approx(1.959963985 * math.sqrt(variance), rel=1e-8)
    assert (high + low) / 2 == pytest.approx(order.mean(), rel=1e-12)


def test_the_curve_goes_through_every_threshold_once() -> None:
    false, true = Attack("x", np.array([3.0, 1.0, 1.0]), np.array([2.0, 1.0])).curve()
    assert false.tolist() == [0, 0, 0.5, 1]
    assert true.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1])


def test_rates_are_given_only_where_enough_texts_can_tell() -> None:
    members, others = np.arange(500.0) + 250, np.arange(500.0)
    attack = Attack("x", members, others)
    assert attack.rate_at(0.001) is None
    assert attack.rate_at(0.01) == pytest.approx(np.mean(members > 494))


def test_the_advantage_of_a_guess_is_nothing_and_of_a_certainty_one() -> None:
    random = np.random.default_rng(2)
    blind = [Attack("x", random.random(60), random.random(60)).advantage(seed) for seed in range(200)]
    assert (
        abs(np.mean(blind)) < 3 * np.std(blind) / math.sqrt(200) + 0.005
    )  # the best threshold of one sample would say 0.15
    assert Attack("x", np.ones(10), np.zeros(10)).advantage() == 1.0


def test_the_interval_of_a_share_is_exact() -> None:
    assert rate_interval(0.0, 20) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    assert rate_interval(1.0, 20) == pytest.approx((0.025 ** (1 / 20), 1.0))
    assert rate_interval(0.5, 20) == pytest.approx((0.27195, 0.72805), abs=1e-5)


def test_the_confidence_is_the_logit_of_the_probability() -> None:
    random = np.random.default_rng(3)
    logits, labels = random.standard_normal((6, 4)), random.integers(0, 4, 6)
    p = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[np.arange(6), labels]
    assert confidence_of(logits, labels) == pytest.approx(np.log(p / (1 - p)), rel=1e-10)
    assert np.isfinite(confidence_of(np.array([[900.0, -900.0]]), np.array([0]))).all()


def test_over_all_labels_the_score_of_a_canary_is_zero() -> None:
    logits = np.random.default_rng(4).standard_normal((3, 5))
    scores = np.array([over_labels(logits, np.full(3, label)) for label in range(5)])
    assert scores.sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[:, 2]
    mean = np.log(np.exp(logits).sum(axis=1)) - logits.mean(axis=1)
    assert scores[2] == pytest.approx(mean - losses)


def test_word_counts_are_naive_bayes_with_one_added() -> None:
    counts = WordCounts([np.array([0, 0]), np.array([1])], np.array([0, 1]), 2, 3)
    assert np.exp(counts.logs) == pytest.approx(np.array([[3, 1, 1], [1, 2, 1]]) / [[5], [4]])
    assert counts([np.array([0, 1])])[0, 0] == pytest.approx((math.log(3 / 5) + math.log(1 / 5)) / 2)


def test_nothing_is_found_where_members_are_texts_like_others() -> None:
    alarms = np.zeros(3)
    for seed in range(100):
        random = np.random.default_rng(seed)
        members, others, reference = (texts(num, random) for num in (60, 60, 40))
        attacks = [
            by_loss(members, others),
            by_likelihood_ratio(members, others, reference, WORDS, seed),
            by_words(members, others, WORDS, seed),
        ]
        alarms += [not one.interval()[0] <= 0.5 <= one.interval()[1] for one in attacks]
    assert (alarms <= 5 + 3 * math.sqrt(100 * 0.05 * 0.95)).all()


def test_knowing_which_texts_are_hard_makes_a_better_attack() -> None:
    random = np.random.default_rng(5)
    members, others, reference = texts(300, random, gain=0.6), texts(300, random), texts(150, random)
    plain, calibrated = by_loss(members, others), by_likelihood_ratio(members, others, reference, WORDS)
    assert plain.interval()[0] > 0.5
    assert calibrated.auc > plain.auc + 0.1


def test_splits_that_differ_by_their_words_are_told() -> None:
    random = np.random.default_rng(6)
    audit = Audit("x", Claim(math.inf, 1e-4))
    attack_real(audit, texts(200, random, first=5), texts(300, random), WORDS, 1000, 0)
    assert any("the splits differ" in note for note in audit.notes)
    assert [one.name for one in audit.attacks] == ["loss", "likelihood ratio", "words alone"]
    alike = Audit("x", Claim(math.inf, 1e-4))
    attack_real(alike, texts(200, random), texts(300, random), WORDS, 1000, 0)
    assert not alike.notes


def test_a_few_texts_are_not_attacked_and_both_sides_are_as_many() -> None:
    random = np.random.default_rng(7)
    audit = Audit("x", Claim(math.inf, 1e-4))
    attack_real(audit, texts(200, random), texts(30, random), WORDS, 1000, 0)
    assert not audit.attacks
    assert "too few texts" in audit.notes[0]
    attack_real(audit, texts(200, random), texts(300, random), WORDS, 90, 0)
    assert {(len(one.members), len(one.others)) for one in audit.attacks} == {(90, 90)}


@pytest.mark.parametrize(("epsilon", "is_refuted"), [(1.0, True), (9.0, False), (math.inf, False)])
def test_a_bound_above_the_claim_refutes_it(epsilon: float, is_refuted: bool) -> None:
    random = np.random.default_rng(8)
    planted = random.random(300) < 0.5
    labels = random.integers(0, 2, 300)
    logits = np.zeros((300, 2))
    logits[np.arange(300), labels] = np.where(planted, 5.0, 1.0) + random.standard_normal(300)
    audit = Audit("x", Claim(epsilon, 1e-6))
    attack_canaries(audit, Texts(logits, labels, [np.zeros(1, dtype=np.int64)] * 300), planted)
    assert audit.is_refuted == is_refuted
    assert ("THE CLAIM IS REFUTED" in audit.table()) == is_refuted
    report = audit.report()
    assert report["the claim is refuted"] == is_refuted
    assert report["epsilon is at least"]["epsilon"] > 3
    assert report["claimed epsilon"] == (None if math.isinf(epsilon) else epsilon)
