"""Calibration: bins, their error and its picture; curves of training."""

from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from slimlit.explain.calibration import calibrate, calibration_error, draw_calibration
from slimlit.explain.curves import draw_curves, ticks


def answers(num: int, num_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.dirichlet(np.ones(num_classes), num), random.integers(num_classes, size=num)


@pytest.mark.parametrize("num", [1, 50, 2000])
def test_the_error_is_that_of_torchmetrics(num: int) -> None:
    probabilities, labels = answers(num)
    theirs = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(labels), 3, n_bins=15)
    assert calibration_error(calibrate(probabilities, labels)) == pytest.approx(float(theirs), abs=1e-6)


def test_bins_hold_each_answer_once_and_the_sure_ones_in_the_last() -> None:
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.3, 0.7], [0.31, 0.69]])
    bins = calibrate(probabilities, np.array([0, 1, 1, 0]))
    assert [(one.examples, one.accuracy) for one in bins] == [(1, 0.0), (2, 0.5), (1, 1.0)]
    assert bins[1].confidence == pytest.approx(0.695)
    assert bins[-1].high == 1.0


def test_no_answers_have_no_error() -> None:
    assert calibration_error(calibrate(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))) == 0.0


def test_few_answers_have_a_wide_interval() -> None:
    few, many = (calibrate(np.tile([0.9, 0.1], (num, 1)), np.zeros(num, dtype=np.int64))[0] for num in (3, 3000))
    assert few.interval()[0] == pytest.approx(3 / (3 + 1.959964**2))  # Wilson's bound where all are right
    assert few.interval()[0] < many.interval()[0] < 1.0
    assert few.interval()[1] == 1.0


def test_the_picture_says_how_many_and_how_far_off() -> None:
    bins = calibrate(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, 1]))
    said = " ".join(ElementTree.fromstring(draw_calibration("test <x>", bins)).itertext())
    assert "test <x>" in said
    assert "expected calibration error 55.0 %" in said
    assert "1 answers of 90.0 % confidence: 0.0 % right" in said


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.86, 0.881), (-3.0, 120.0), (5.0, 5.0), (0.0, 0.0), (1e-9, 3e-9)]
)
def test_ticks_are_few_round_and_around(low: float, high: float) -> None:
    marks = ticks(low, high, 4)
    assert 2 <= len(marks) <= 6
    assert marks[0] <= low + 1e-12
    assert marks[-1] >= high - 1e-12
    assert all(float(f"{mark:.3g}") == pytest.approx(mark) for mark in marks)


def test_a_line_of_many_points_goes_through_the_means_of_neighbours() -> None:
    points = [(float(step), float(step % 2)) for step in range(2000)]
    drawn = draw_curves("loss", {"train": points}, str)
    (line,) = [
        part for part in ElementTree.fromstring(drawn) if part.get("class") == "line one" and "d" in part.attrib
    ][1:]
    heights = {point.split()[1] for point in line.attrib["d"][1:].split("L")}
    assert len(line.attrib["d"].split("L")) == 200
    assert len(heights) == 1


def test_a_logarithmic_axis_has_round_numbers() -> None:
    drawn = draw_curves("loss", {"train": [(1.0, 300.0), (2.0, 0.2)]}, lambda value: f"{value:.4g}", logarithmic=True)
    assert {"1000", "100", "10", "1", "0.1"} <= set(ElementTree.fromstring(drawn).itertext())
