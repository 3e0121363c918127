"""``mean_interval``: a mean over examples, and where it would lie had other examples been drawn."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Interval:
    """A mean, and the ends of its interval (95 %)."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]"


def mean_interval(values: Float[np.ndarray, "examples *repeats"], seed: int = 0, num_draws: int = 1000) -> Interval:
    """The mean and its percentile bootstrap interval: examples drawn again, with replacement, ``num_draws`` times.

    Where each example was measured several times (by several seeds), those are drawn again as well, the same for all examples.

    Raises:
        ValueError: there are no examples.
    """
    if len(values) == 0:
        raise ValueError("a mean of no examples; expected one at least")
    random = np.random.default_rng(seed)
    rows = random.integers(0, len(values), size=(num_draws, len(values)))
    if values.ndim == 1:
        means = values[rows].mean(axis=1)
    else:
        columns = random.integers(0, values.shape[1], size=(num_draws, values.shape[1]))
        means = values[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975]).tolist()
    return Interval(float(values.mean()), low, high)
