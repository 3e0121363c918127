"""What it costs to train several times with different settings and to keep the best: repeat and select."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, logsumexp

from slimlit.privacy.accounting import NoisySteps, epsilon_of

_ORDERS = np.concatenate([np.arange(2, 64), np.unique(np.geomspace(64, 1024, 40).astype(int))])


def epsilon_of_best(stages: Sequence[NoisySteps], delta: float, mean_runs: float) -> float:
    """The epsilon of publishing the best of ``K`` runs and nothing of the others, ``K`` drawn from Poisson(``mean_runs``).

    Each run makes all ``stages`` with settings of its own. ``K`` must be drawn before, at random, and be kept secret; the
    runs that lost must not be shown. The score that chooses may read the private texts: the cost covers it.

    Raises:
        ValueError: not above 0 runs.
    Source: Papernot & Steinke 2022, arXiv:2110.03620, Theorem 6; Rényi divergence to epsilon after Canonne et al. 2020.
    """
    if not 0.0 < mean_runs < math.inf:
        raise ValueError(f"the mean number of runs is {mean_runs}; expected above 0")
    curve = np.sum([stage.num_steps * renyi(stage) for stage in stages], axis=0)
    found = math.inf
    for order, cost in zip(_ORDERS, curve, strict=True):
        slack = _delta_at(curve, math.log1p(1.0 / (order - 1.0)))
        whole = cost + mean_runs * slack + math.log(mean_runs) / (order - 1.0)
        found = min(found, whole + math.log1p(-1.0 / order) - (math.log(delta) + math.log(order)) / (order - 1.0))
    return max(0.0, found, epsilon_of(stages, delta) if mean_runs >= 1.0 else 0.0)


def renyi(stage: NoisySteps) -> npt.NDArray[np.float64]:
    """Rényi divergences of one step at whole orders from 2 to 1024.

    Source: Mironov, Talwar, Zhang 2019, arXiv:1908.10530, equation 9.
    """
    rate, noise = stage.sample_rate, stage.noise_multiplier
    found = []
    for order in _ORDERS:
        k = np.arange(order + 1)
        chosen = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = k * math.log(rate) + np.where(order == k, 0.0, (order - k) * np.log1p(-rate))
        found.append(logsumexp(chosen + share + (k * k - k) / (2 * noise * noise)) / (order - 1))
    return np.asarray(found)


def _delta_at(curve: npt.NDArray[np.float64], epsilon: float) -> float:
    """The smallest delta at which a Rényi curve gives that epsilon."""
    with np.errstate(over="ignore"):
        logs = (_ORDERS - 1) * (curve - epsilon + np.log1p(-1.0 / _ORDERS)) - np.log(_ORDERS)
    return float(min(1.0, math.exp(min(0.0, float(np.min(logs))))))
