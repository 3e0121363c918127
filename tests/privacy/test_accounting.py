import math

import pytest
from opacus.accountants import PRVAccountant, RDPAccountant
from scipy.stats import norm

from slimlit.privacy import accounting
from slimlit.privacy.accounting import NoisySteps, epsilon_of, noise_for

SETTINGS = [
    (1.0, 256 / 8530, 500, 1e-5),
    (0.7, 0.01, 3000, 1e-6),
    (4.0, 0.3, 3000, 1e-5),
    (0.5, 0.001, 100, 1e-5),
    (1.0, 1e-4, 100_000, 1e-7),
    (2.0, 0.05, 50, 1e-5),
    (0.3, 0.02, 10, 1e-5),
]


def opacus(accountant: type, *history: tuple[float, float, int]) -> object:
    made = accountant()
    made.history = list(history)
    return made


@pytest.mark.parametrize(("noise", "rate", "steps", "delta"), SETTINGS)
def test_it_lies_within_the_bounds_of_opacus_prv_and_below_its_rdp(
    noise: float, rate: float, steps: int, delta: float
) -> None:
    found = epsilon_of([NoisySteps(noise, rate, steps)], delta)
    prv = opacus(PRVAccountant, (noise, rate, steps))
    _, estimate, upper = prv._get_dprv(eps_error=1e-3, delta_error=delta / 1000).compute_epsilon(  # type: ignore[attr-defined]
        delta, delta / 1000, 1e-3
    )
    assert estimate - 1e-4 * max(1, estimate) < found <= upper
    assert found < opacus(RDPAccountant, (noise, rate, steps)).get_epsilon(delta)  # type: ignore[attr-defined]


def test_it_never_lies_below_the_exact_value_where_there_is_a_formula() -> None:
    for noise, steps in ((1.0, 1), (3.0, 1), (5.0, 30), (20.0, 400)):
        found = epsilon_of([NoisySteps(noise, 1.0, steps)], 1e-5)
        mu = math.sqrt(steps) / noise  # Balle and Wang 2018, theorem 8: delta of Gaussian noise at an epsilon
        delta = norm.sf(found / mu - mu / 2) - math.exp(found) * norm.sf(found / mu + mu / 2)
        assert delta <= 1e-5
        assert delta == pytest.approx(1e-5, rel=2e-3)


def test_one_sampled_step_agrees_with_its_formula() -> None:
    rate, noise, delta = 0.05, 0.8, 1e-4
    found = epsilon_of([NoisySteps(noise, rate, 1)], delta)
    place = noise**2 * math.log((math.exp(found) - 1 + rate) / rate) + 0.5
    without, with_it = norm.sf(place / noise), (1 - rate) * norm.sf(place / noise) + rate * norm.sf((place - 1) / noise)
    exact = with_it - math.exp(found) * without
    assert exact <= delta
    assert exact == pytest.approx(delta, rel=2e-3)


def test_stages_together_cost_more_than_each_and_less_than_their_sum() -> None:
    teacher, student = NoisySteps(1.0, 0.03, 300), NoisySteps(2.0, 0.1, 200)
    alone = [epsilon_of([stage], 1e-5) for stage in (teacher, student)]
    assert max(alone) < epsilon_of([teacher, student], 1e-5) < sum(alone)


def test_a_stage_cut_in_two_costs_the_same() -> None:
    whole = epsilon_of([NoisySteps(1.0, 0.03, 300)], 1e-5)
    assert epsilon_of([NoisySteps(1.0, 0.03, 100), NoisySteps(1.0, 0.03, 200)], 1e-5) == pytest.approx(whole, rel=1e-9)


def test_hardly_any_noise_is_no_privacy() -> None:
    assert epsilon_of([NoisySteps(0.05, 1.0, 10)], 1e-5) > 1000
    assert epsilon_of([NoisySteps(1e-9, 0.03, 300)], 1e-5) == math.inf


@pytest.mark.parametrize(
    ("noise", "rate", "steps", "delta"),
    [
        (0.001, 0.03, 300, 1e-5),
        (0.01, 1.0, 10, 1e-5),
        (1e-6, 1e-4, 3, 1e-8),
        (1.0, 1e-12, 3, 1e-5),
        (1e4, 0.5, 9, 1e-5),
    ],
)
def test_there_is_a_number_for_however_little_noise_and_however_rare_an_example(
    noise: float, rate: float, steps: int, delta: float
) -> None:
    found = epsilon_of([NoisySteps(noise, rate, steps)], delta)
    assert found >= 0.0
    if rate == 1.0:
        mu = math.sqrt(steps) / noise
        exact = mu**2 / 2 + mu * norm.isf(delta)  # at so large an epsilon the second term of delta is next to nothing
        assert exact * (1 - 1e-3) < found < exact * (1 + 1e-3)


def test_for_a_large_delta_epsilon_is_small_and_never_below_the_exact_value() -> None:
    for noise, steps in ((0.5, 1), (1.0, 4)):
        found = epsilon_of([NoisySteps(noise, 1.0, steps)], 0.5)
        mu = math.sqrt(steps) / noise
        delta = norm.sf(found / mu - mu / 2) - math.exp(found) * norm.sf(found / mu + mu / 2)
        assert delta <= 0.5
        assert delta == pytest.approx(0.5, rel=2e-3)
    assert epsilon_of([NoisySteps(1.0, 0.03, 300)], 0.9) <= 1e-3


def test_noise_is_found_for_a_huge_epsilon_and_a_large_delta() -> None:
    for epsilon, delta in ((1e4, 1e-5), (3.0, 0.9)):
        noise = noise_for(epsilon, delta, 0.03, 300)
        assert 0.9 * epsilon < epsilon_of([NoisySteps(noise, 0.03, 300)], delta) <= epsilon


def test_what_is_enough_on_a_coarse_grid_is_enough_on_the_fine_one() -> None:
    for noise, rate, steps, delta in SETTINGS:
        stages = [NoisySteps(noise, rate, steps)]
        assert epsilon_of(stages, delta) <= accounting._cost(stages, delta, 8.0) * (1 + 1e-6)


def test_the_noise_for_an_epsilon_is_enough_and_not_much_more() -> None:
    for epsilon in (0.5, 3.0, 8.0):
        noise = noise_for(epsilon, 1e-5, 0.03, 500)
        assert epsilon_of([NoisySteps(noise, 0.03, 500)], 1e-5) <= epsilon
        assert epsilon_of([NoisySteps(noise - 2e-3 * max(1, noise), 0.03, 500)], 1e-5) > epsilon


@pytest.mark.parametrize(
    ("noise", "rate", "steps", "delta", "said"),
    [
        (0.0, 0.1, 10, 1e-5, "noise multiplier is 0.0"),
        (math.nan, 0.1, 10, 1e-5, "noise multiplier is nan"),
        (1.0, 1.5, 10, 1e-5, "sample rate is 1.5"),
        (1.0, 0.1, 0, 1e-5, "0 steps"),
        (1.0, 0.1, 10, 0.0, "delta is 0.0"),
        (1.0, 0.1, 10, 1e-20, "delta is 1e-20"),
    ],
)
def test_what_is_no_privacy_setting_is_refused(noise: float, rate: float, steps: int, delta: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        epsilon_of([NoisySteps(noise, rate, steps)], delta)
    with pytest.raises(ValueError, match="epsilon is nan"):
        noise_for(math.nan, 1e-5, 0.1, 10)
