"""``epsilon_of``: the privacy that steps of noisy gradients cost, by privacy loss distributions; ``noise_for`` the other way round."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Numbers = npt.NDArray[np.float64]
_TAIL = 9.0  # standard deviations: what lies beyond, 1e-19, counts as told
_MAX_POINTS = 2**21  # of the loss of one step
_MAX_SUMS = 2**22  # of the sum of all steps: where it would take more, the grid is made coarser
_COARSE = 8.0  # how much coarser the grid is while noise is sought, before it is settled on the fine one
_NO_NOISE = 1e-6  # a multiplier below it is none
_SLACK = 1e-4  # share of delta given to what wraps around in the convolution
_MIN_DELTA = 1e-10  # below it the rounding errors of the convolution would count


@dataclass(frozen=True)
class NoisySteps:
    """Steps that each take every example with probability ``sample_rate``, clip it, and add noise to the sum.

    Args:
        noise_multiplier: standard deviation of the noise over the clipping norm, above 0.
        sample_rate: probability that an example is in a step, above 0, at most 1; drawn anew for each example and step.
        num_steps: how many such steps, empty ones included.
    """

    noise_multiplier: float
    sample_rate: float
    num_steps: int

    def __post_init__(self) -> None:
        if not 0.0 < self.noise_multiplier < math.inf:
            raise ValueError(f"noise multiplier is {self.noise_multiplier}; expected a number above 0")
        if not 0.0 < self.sample_rate <= 1.0:
            raise ValueError(f"sample rate is {self.sample_rate}; expected a probability above 0 and at most 1")
        if not isinstance(self.num_steps, int) or self.num_steps < 1:
            raise ValueError(f"{self.num_steps} steps; expected a whole number, 1 or more")


def epsilon_of(stages: Sequence[NoisySteps], delta: float) -> float:
    """The epsilon at ``delta`` of all stages together, neighbours differing by one example added or removed.

    Each step's privacy loss is put on a grid so that its hockey-stick divergence is nowhere smaller ("connect the
    dots"), and the steps of all stages are convolved.

    Guarantees:
        - never below the true value, whatever the grid, but for rounding errors of double precision;
        - a number, or infinity where there is next to no noise, for all stages and every delta;
        - joint: stages cost together no more than the sum of their epsilons.

    Raises:
        ValueError: delta is none.
    Source: Doroshenko et al. 2022, arXiv:2207.04380; Koskela, Jälkö, Honkela 2020, arXiv:1906.03049.
    """
    return _cost(stages, delta)


def noise_for(epsilon: float, delta: float, sample_rate: float, num_steps: int) -> float:
    """The least noise multiplier, to a thousandth, whose steps cost at most ``epsilon`` at ``delta``.

    Raises:
        ValueError: epsilon is not positive, or no noise up to ten thousand is enough.
    """
    if not 0.0 < epsilon < math.inf:
        raise ValueError(f"epsilon is {epsilon}; expected a number above 0")

    def is_enough(noise: float, coarseness: float = 1.0) -> bool:
        return _cost([NoisySteps(noise, sample_rate, num_steps)], delta, coarseness) <= epsilon

    def is_plenty(noise: float) -> bool:
        return is_enough(noise, _COARSE)

    low, high = 0.0, 1.0
    while not is_plenty(high):
        low, high = high, high * 2
        if high > 1e4:
            raise ValueError(f"no noise gives epsilon {epsilon} at delta {delta}: take fewer steps or larger ones")
    low, high = _bisect(is_plenty, low, high)
    width = high - low
    while not is_enough(high):
        low, high = high, high + width
    while low > 0.0 and is_enough(low):
        low, high, width = max(0.0, low - width), low, 2 * width
    return _bisect(is_enough, low, high)[1]


def _bisect(is_enough: Callable[[float], bool], low: float, high: float) -> tuple[float, float]:
    """Two numbers a thousandth apart, the lower not enough and the higher enough."""
    while high - low > 1e-3 * min(1.0, high):
        middle = (low + high) / 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return low, high


def _cost(stages: Sequence[NoisySteps], delta: float, coarseness: float = 1.0) -> float:
    if not _MIN_DELTA <= delta < 1.0:
        raise ValueError(
            f"delta is {delta}; expected {_MIN_DELTA:g} or more, and below one over the number of examples"
        )
    if any(stage.noise_multiplier < _NO_NOISE for stage in stages):
        return math.inf
    return max(_epsilon(stages, delta, removed, coarseness) for removed in (True, False))


def _epsilon(stages: Sequence[NoisySteps], delta: float, removed: bool, coarseness: float) -> float:
    counts = [stage.num_steps for stage in stages]
    step = max(min(map(_grid, stages)), max(map(_span, stages)) / _MAX_POINTS) * coarseness
    wrapped = delta * _SLACK / 2
    while True:
        losses = [_loss(stage, step, removed) for stage in stages]
        low, high = _window(losses, counts, step, wrapped)
        if not math.isfinite(high - low):
            return math.inf
        most = _MAX_SUMS / coarseness * step
        if high - low <= most:
            break
        step *= 1.1 * (high - low) / most
    told = -math.expm1(sum(n * math.log1p(-loss.told) for n, loss in zip(counts, losses, strict=True)))
    num_points = 1 << max(1, math.ceil(math.log2(max(2, (high - low) / step + 2, *(len(x.masses) for x in losses)))))
    spectrum = np.ones(num_points // 2 + 1, dtype=np.complex128)
    start = 0
    for n, loss in zip(counts, losses, strict=True):
        spectrum *= np.fft.rfft(loss.masses, num_points) ** n
        start += n * loss.start
    masses = np.maximum(np.fft.irfft(spectrum, num_points), 0.0)
    first = math.floor(low / step)
    values = step * (first + np.arange(num_points, dtype=np.float64))
    masses = np.roll(masses, (start - first) % num_points)
    return _where_delta_is(values, masses, told, delta - 2 * wrapped)


@dataclass(frozen=True)
class _Loss:
    """The privacy loss of one step: ``masses[i]`` at ``step * (start + i)``, and ``told`` at infinity."""

    masses: Numbers
    start: int
    told: float


def _grid(stage: NoisySteps) -> float:
    """The distance of the points: a twentieth of the loss's usual size, 1e-3 at most."""
    usual = stage.sample_rate * math.sqrt(math.expm1(min(stage.noise_multiplier**-2, 20.0)))
    return min(1e-3, usual / 20, 1.0 / stage.noise_multiplier / 20)


def _span(stage: NoisySteps) -> float:
    low, high = _bounds(stage)
    return high - low


def _bounds(stage: NoisySteps) -> tuple[float, float]:
    """The least and the greatest loss of one step within ``_TAIL`` deviations, with the example there."""
    ends = np.array([-_TAIL * stage.noise_multiplier, 1 + _TAIL * stage.noise_multiplier])
    low, high = _loss_at(stage, ends)
    return float(low), float(high)


def _loss_at(stage: NoisySteps, x: Numbers) -> Numbers:
    """The logarithm of the density with the example over that without it, at the noisy sum ``x``."""
    exponent = (2 * x - 1) / (2 * stage.noise_multiplier**2)
    if stage.sample_rate == 1.0:
        return exponent
    return np.logaddexp(math.log1p(-stage.sample_rate), math.log(stage.sample_rate) + exponent)


def _place_of(stage: NoisySteps, loss: Numbers) -> Numbers:
    """The noisy sum at which :func:`_loss_at` is ``loss``; minus infinity below the least loss."""
    rate = stage.sample_rate
    if rate == 1.0:
        return np.asarray(stage.noise_multiplier**2 * loss + 0.5)
    least = math.log1p(-rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        over = np.where(loss > least, loss + np.log(-np.expm1(-np.maximum(loss - least, 0.0))), -np.inf)
    return np.asarray(stage.noise_multiplier**2 * (over - math.log(rate)) + 0.5)


def _loss(stage: NoisySteps, step: float, removed: bool) -> _Loss:
    """The loss of one step on the grid: between two points both measures' masses are kept, split over the points."""
    low, high = _bounds(stage)
    start, end = math.floor(low / step), math.ceil(high / step)
    points = step * np.arange(start, end + 1, dtype=np.float64)
    places = _place_of(stage, points)
    places[0] = -np.inf
    without = _masses(places / stage.noise_multiplier)
    shifted = _masses((places - 1) / stage.noise_multiplier)
    with_it = (1 - stage.sample_rate) * without + stage.sample_rate * shifted
    beyond_without = float(ndtr(-places[-1] / stage.noise_multiplier))
    beyond_shifted = float(ndtr((1 - places[-1]) / stage.noise_multiplier))
    if removed:
        upper, lower, first = with_it, without, start
        told = (1 - stage.sample_rate) * beyond_without + stage.sample_rate * beyond_shifted
    else:  # the loss of the other direction is the negative one
        upper, lower, first = without[::-1], with_it[::-1], -end
        points = -points[::-1]
        told = 0.0
    # what lies on [points[i], points[i + 1]]: right + left = upper, right * exp(-points[i+1]) + left * exp(-points[i]) = lower
    with np.errstate(divide="ignore"):  # beyond what exp can hold the product is made of logarithms
        kept = np.where(
            points[:-1] < 700.0,
            lower * np.exp(np.minimum(points[:-1], 700.0)),
            np.exp(np.minimum(np.log(lower) + points[:-1], 0.0)),
        )
    right = np.clip((upper - kept) / -math.expm1(-step), 0.0, upper)
    masses = np.zeros(len(points))
    masses[1:] += right
    masses[:-1] += upper - right
    if not removed:
        masses[0] += beyond_without  # losses below the grid are raised to its first point
    return _Loss(masses, first, told)


def _masses(edges: Numbers) -> Numbers:
    """The standard normal's mass between neighbouring edges, exact in both tails."""
    left = np.diff(ndtr(edges))
    right = -np.diff(ndtr(-edges))
    return np.asarray(np.maximum(np.where(edges[:-1] > 0, right, left), 0.0))


def _window(losses: Sequence[_Loss], counts: Sequence[int], step: float, tail: float) -> tuple[float, float]:
    """Between which sums all but ``tail`` lies, on each side, by Chernoff's bound at orders near the best."""
    weights = [loss.masses / loss.masses.sum() for loss in losses]
    places = [step * (loss.start + np.arange(len(loss.masses), dtype=np.float64)) for loss in losses]
    variance = sum(n * _variance(x, p) for n, x, p in zip(counts, places, weights, strict=True))
    usual = math.sqrt(2 * math.log(1 / tail) / max(variance, step**2))  # the best where the sum is normal

    def bound(order: float, sign: float) -> float:
        exponent = math.log(1 / tail)
        for n, x, loss in zip(counts, places, losses, strict=True):
            is_there = loss.masses > 0
            values = sign * order * x[is_there]
            top = float(values.max())
            exponent += n * (top + math.log(float(np.sum(loss.masses[is_there] * np.exp(values - top)))))
        return exponent / order

    def least(sign: float) -> float:
        """By golden sections of the order's logarithm: the bound falls, then rises."""
        low, high = math.log(usual) - 12.0, math.log(usual) + 3.0
        share = (math.sqrt(5) - 1) / 2
        first, second = high - share * (high - low), low + share * (high - low)
        at_first, at_second = bound(math.exp(first), sign), bound(math.exp(second), sign)
        for _ in range(10):
            if at_first <= at_second:
                high, second, at_second = second, first, at_first
                first = high - share * (high - low)
                at_first = bound(math.exp(first), sign)
            else:
                low, first, at_first = first, second, at_second
                second = low + share * (high - low)
                at_second = bound(math.exp(second), sign)
        return min(at_first, at_second)

    return -least(-1.0), least(1.0)


def _variance(values: Numbers, weights: Numbers) -> float:
    return float(np.sum(weights * np.square(values - np.sum(weights * values))))


def _where_delta_is(values: Numbers, masses: Numbers, told: float, delta: float) -> float:
    """The least epsilon, 0 or more, at which ``told + sum of masses above * (1 - exp(epsilon - value))`` is ``delta``."""
    if told >= delta:
        return math.inf
    # between two points the sum is A - exp(epsilon) * B, with A and B over the points above
    above = np.cumsum(masses[::-1])[::-1]
    scaled = np.cumsum((masses * np.exp(-np.maximum(values, -700.0)))[::-1])[::-1]
    positive = np.flatnonzero(values > 0)
    if not len(positive):
        return 0.0
    deltas = told + above[positive] - np.exp(np.minimum(values[positive], 700.0)) * scaled[positive]
    place = int(np.argmax(deltas <= delta)) if (deltas <= delta).any() else len(positive) - 1
    index = positive[place]
    if above[index] + told <= delta or scaled[index] <= 0:
        return float(values[index])
    return max(0.0, math.log((above[index] + told - delta) / scaled[index]))
