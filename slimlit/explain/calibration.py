"""``calibrate``: whether a classifier is right as often as it says it is; ``draw_calibration``: the same as a picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from slimlit.explain.drawing import Drawing

NUM_BINS = 15
_SIDE, _LEFT, _COUNTS, _LABEL = 280.0, 48.0, 54.0, 11.0


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies between ``low`` and ``high``."""

    low: float
    high: float
    examples: int
    confidence: float
    """The mean probability of their answers."""
    accuracy: float
    """The share of them that is right."""

    def interval(self) -> tuple[float, float]:
        """Where the accuracy lies with 95 % confidence (Wilson 1927), as few examples tell little."""
        z, share = 1.959964, self.accuracy
        scale = 1 / (1 + z**2 / self.examples)
        centre = share + z**2 / (2 * self.examples)
        width = z * math.sqrt(share * (1 - share) / self.examples + z**2 / (4 * self.examples**2))
        return max(0.0, scale * (centre - width)), min(1.0, scale * (centre + width))


def calibrate(probabilities: Float[np.ndarray, "examples classes"], labels: Int[np.ndarray, " examples"]) -> list[Bin]:
    """The bins that hold examples, of fifteen of equal width.

    Guarantees:
        - :func:`calibration_error` of them is torchmetrics' ``MulticlassCalibrationError`` with 15 bins.
    """
    confidence, is_right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, NUM_BINS + 1)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, NUM_BINS - 1)
    bins = []
    for number in np.unique(place).tolist():
        own = place == number
        low, high = float(edges[number]), float(edges[number + 1])
        bins.append(Bin(low, high, int(own.sum()), float(confidence[own].mean()), float(is_right[own].mean())))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """How far confidence and accuracy are apart, a mean over the examples: the expected calibration error.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599, equation 3.
    """
    num = sum(one.examples for one in bins)
    return sum(one.examples * abs(one.accuracy - one.confidence) for one in bins) / num if num else 0.0


def draw_calibration(title: str, bins: Sequence[Bin]) -> str:
    """How often answers of each confidence are right, with 95 % intervals; below, how many there are of each."""
    drawing = Drawing(_SIDE + _LEFT + 44)
    drawing.lines(title, 15.0, "strong")
    left, top = drawing.margin + _LEFT, drawing.y + 8
    base = top + _SIDE + 14 + _COUNTS

    def place(x: float, y: float) -> tuple[float, float]:
        return left + _SIDE * x, top + _SIDE * (1 - y)

    for fifth in range(6):
        value = fifth / 5
        x, y = place(value, value)
        drawing.line([(x, top), (x, top + _SIDE)], "grid")
        drawing.line([(left, y), (left + _SIDE, y)], "grid")
        drawing.text(left - 6, y + 4, f"{100 * value:.0f} %", _LABEL, "muted", anchor="end")
        drawing.text(x, base + 15, f"{100 * value:.0f} %", _LABEL, "muted", anchor="middle")
    drawing.frame(left, top, _SIDE, _SIDE)
    drawing.frame(left, top + _SIDE + 14, _SIDE, _COUNTS)
    most = max((one.examples for one in bins), default=1)
    for one in bins:
        x, height = left + _SIDE * one.low, _SIDE * one.accuracy
        width = _SIDE * (one.high - one.low)
        told = f"{one.examples:,} answers of {100 * one.confidence:.1f} % confidence: {100 * one.accuracy:.1f} % right"
        drawing.box(x + 1, top + _SIDE - height, width - 2, height, 0.75, told)
        tall = max(1.0, (_COUNTS - 2) * one.examples / most)
        drawing.box(x + 1, base - tall, width - 2, tall, 0.45, told)
        low, high = one.interval()
        drawing.line([place(one.confidence, low), place(one.confidence, high)], "line thin")
        drawing.dot(*place(one.confidence, one.accuracy), "line thin", told)
    drawing.line([place(0.0, 0.0), place(1.0, 1.0)], "line chance")
    drawing.text(drawing.margin + 10, top + _SIDE / 2 + 30, "right", 12.0, turned=True)
    drawing.text(left + _SIDE / 2, base + 32, "confidence: the probability of the answer", 12.0, anchor="middle")
    drawing.y = base + 42
    num = sum(one.examples for one in bins)
    drawing.lines(f"{num:,} answers, at most {most:,} in a bar", 12.0, "muted")
    drawing.lines(f"expected calibration error {100 * calibration_error(bins):.1f} %", 12.0, "muted")
    drawing.lines("dashed: as sure as right; thin: 95 % intervals", 12.0, "muted")
    return drawing.svg()
