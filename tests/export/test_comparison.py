"""What is measured of an export: only what was read, and in words that say what was wrong."""

import numpy as np
import pytest

from slimlit.export.comparison import BLOCK, Comparison
from slimlit.export.gate import judge
from slimlit.export.metric import score
from slimlit.export.sample import Array, Inputs


def compared(
    ours: Array, theirs: Array, labels: Array | None = None, kind: str = "sequence_classification"
) -> Comparison:
    found = Comparison(kind)  # type: ignore[arg-type]
    mask = np.ones(ours.shape[:2], dtype=np.int64)
    inputs: Inputs = {"input_ids": mask, "attention_mask": mask}
    truth = np.zeros(len(ours), dtype=np.int64) if labels is None else labels
    found.add(inputs, truth, {"logits": ours}, {"logits": theirs})
    found.finish()
    return found


LOGITS = np.random.default_rng(0).standard_normal((300, 2)).astype(np.float32)


def test_two_equal_networks_have_difference_0_cosine_1_and_no_flips() -> None:
    found = compared(LOGITS, LOGITS)
    assert (found.greatest_difference, found.least_cosine, found.num_flips) == (0.0, 1.0, 0)
    assert judge(found, score(found, ["a", "b"]), []) == []


def test_padding_is_never_compared() -> None:
    mask = np.array([[1, 1, 0]])
    ours, theirs = np.zeros((1, 3, 4), np.float32), np.zeros((1, 3, 4), np.float32)
    theirs[0, 2] = 100.0
    found = Comparison("token_classification")
    labels = np.array([[0, -100, -100]])
    found.add({"input_ids": mask, "attention_mask": mask}, labels, {"logits": ours}, {"logits": theirs})
    found.finish()
    assert (found.greatest_difference, found.num_places) == (0.0, 2)


def test_a_number_that_is_not_finite_makes_the_cosine_0() -> None:
    broken = LOGITS.copy()
    broken[3, 0] = np.nan
    found = compared(LOGITS, broken)
    assert found.least_cosine == 0.0
    assert found.greatest_difference == np.inf
    assert judge(found, None, [])


def test_a_pooling_weight_that_is_no_number_or_far_off_is_a_fault_and_of_another_shape_an_error() -> None:
    weights = np.full((300, 1, 4), 0.25, np.float32)
    mask = np.ones((300, 4), np.int64)

    def gated(theirs: Array) -> tuple[float | None, list[str]]:
        found = Comparison("sequence_classification")
        both = [{"logits": LOGITS, "pooling_weights": one} for one in (weights, theirs)]
        found.add({"input_ids": mask, "attention_mask": mask}, np.zeros(300, np.int64), *both)
        found.finish()
        return found.pooling_difference, judge(found, None, [])

    assert gated(weights * np.nan)[0] == np.inf
    assert "--allow pooling" in gated(weights * np.nan)[1][0]
    assert "differs by 0.250; expected 0.1 at most" in gated(0 * weights)[1][0]
    assert gated(weights + 0.03)[1] == []
    with pytest.raises(ValueError, match=r"answers \(300, 1, 3\) pooling weights"):
        gated(weights[..., :3])


def test_a_cosine_is_taken_over_a_block_of_numbers_and_over_single_places_beside_it() -> None:
    ours = np.tile(np.array([[3.0, -3.0]], np.float32), (BLOCK, 1))
    ours[7], theirs = [0.001, -0.001], ours.copy()
    theirs[7] = [-0.001, 0.001]
    found = compared(ours, theirs)
    assert found.least_cosine_of_one == pytest.approx(-1.0)
    assert found.least_cosine > 0.99999
    assert found.num_flips == 1
    whole = compared(LOGITS[:, :1] * np.ones((1, BLOCK), np.float32), -LOGITS[:, :1] * np.ones((1, BLOCK), np.float32))
    assert whole.least_cosine == pytest.approx(-1.0)


def test_a_shift_that_all_words_or_more_than_two_classes_share_is_no_difference_and_hides_none() -> None:
    logits = np.random.default_rng(1).standard_normal((2, 3, 300)).astype(np.float32)
    labels = np.zeros((2, 3), np.int64)
    assert compared(logits, logits + 5.0, labels, "causal_lm").least_cosine > 1 - 1e-9
    assert compared(logits[0], logits[0] + 5.0).least_cosine > 1 - 1e-9
    assert compared(logits[0, :, :77] + 30.0, logits[1, :, :77] + 30.0).least_cosine < 0.5
    assert compared(LOGITS, LOGITS + 5.0).least_cosine < 0.9


def test_a_short_last_block_is_counted() -> None:
    few = LOGITS[:5]
    assert compared(few, -few).least_cosine == pytest.approx(-1.0)


def test_the_gate_names_what_fails_and_how_to_take_it_all_the_same() -> None:
    noisy = LOGITS + np.random.default_rng(1).standard_normal(LOGITS.shape).astype(np.float32)
    found = compared(LOGITS, noisy, LOGITS.argmax(1))
    metric = score(found, ["a", "b"])
    assert metric is not None
    assert metric.network == 1.0
    assert metric.loss > 0.5
    faults = judge(found, metric, [])
    assert len(faults) == 2
    assert "--allow cosine" in faults[0]
    assert "points worse" in faults[1]
    assert judge(found, metric, ["cosine", "metric"]) == []


def test_perplexity_is_that_of_the_true_words() -> None:
    logits = np.log(np.array([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]], np.float32))
    found = compared(logits, logits, np.array([[1, -100]]), "causal_lm")
    metric = score(found, [])
    assert metric is not None
    assert metric.network == pytest.approx(4.0)
    assert metric.loss == 0.0
