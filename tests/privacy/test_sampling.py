"""Poisson sampling: odds, independence, parts, empty batches, processes, and the same step again."""

from itertools import islice

import numpy as np
import pytest

from slimlit.privacy.sampling import FILLER, PoissonBatches, num_parts_for

KEY = bytes(range(32))
LENGTHS = np.random.default_rng(0).integers(3, 60, 400)


def batches(rate: float = 0.1, steps: int = 10, parts: int = 3, **settings: object) -> PoissonBatches:
    return PoissonBatches(LENGTHS, rate, steps, parts, KEY, **settings)  # type: ignore[arg-type]


def test_every_example_is_in_a_step_by_its_own_coin() -> None:
    drawn = np.stack([batches().drawn(step) for step in range(3000)])
    share = drawn.mean(0)
    spread = (0.1 * 0.9 / 3000) ** 0.5
    assert abs(share - 0.1).max() < 4.5 * spread
    sizes = drawn.sum(1)
    assert sizes.var() == pytest.approx(400 * 0.09, rel=0.15)  # a fixed size would have none
    centred = drawn - drawn.mean(0)
    together = centred.T @ centred / 3000 / 0.09
    np.fill_diagonal(together, 0.0)
    assert abs(together).max() < 6 / 3000**0.5
    after = (centred[:-1] * centred[1:]).mean() / 0.09
    assert abs(after) < 5 / (3000 * 400) ** 0.5


def test_the_parts_hold_the_step_once_sorted_by_length_and_alike_in_size() -> None:
    sampler = batches()
    for step in range(20):
        parts = sampler.parts(step)
        rows = [row for part in parts for row in part]
        assert sorted(rows) == np.flatnonzero(sampler.drawn(step)).tolist()
        lengths = LENGTHS[rows]
        assert (np.diff(lengths) >= 0).all()
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_empty_steps_are_there_and_hold_a_filler() -> None:
    sampler = PoissonBatches(LENGTHS[:5], 0.05, 50, 2, KEY)
    taken = list(islice(sampler, len(sampler)))
    assert len(sampler) == len(taken) == 100
    assert taken.count([FILLER]) > 70
    assert all(batch == [FILLER] or FILLER not in batch for batch in taken)


def test_two_processes_take_a_step_apart() -> None:
    whole, halves = batches(), [batches(rank=rank, num_processes=2) for rank in (0, 1)]
    for step in range(10):
        for part in range(3):
            first, second = (half.parts(step)[part] for half in halves)
            assert sorted(first + second) == sorted(whole.parts(step)[part])
            assert abs(len(first) - len(second)) <= 1


def test_it_goes_on_where_it_stopped_and_the_key_decides() -> None:
    everything = list(islice(batches(), 30))
    assert list(islice(batches(num_taken=lambda: 7), 23)) == everything[7:]
    assert list(islice(PoissonBatches(LENGTHS, 0.1, 10, 3, bytes(32)), 30)) != everything


def test_groups_are_drawn_whole() -> None:
    units = np.random.default_rng(1).integers(0, 50, 400)
    units[:50] = np.arange(50)
    sampler = batches(units=units)
    for step in range(30):
        parts = sampler.parts(step)
        drawn = set(np.flatnonzero(sampler.drawn(step)).tolist())
        assert {int(units[row]) for part in parts for row in part} == drawn
        assert sum(map(len, parts)) == sum(int((units == unit).sum()) for unit in drawn)
        homes = [{int(units[row]) for row in part} for part in parts]
        assert sum(map(len, homes)) == len(drawn)


def test_a_group_gives_some_of_its_examples_drawn_anew() -> None:
    units = np.repeat(np.arange(40), 10)
    sampler = batches(rate=0.5, units=units, examples_per_unit=3)
    seen = [sorted(row for part in sampler.parts(step) for row in part if units[row] == 7) for step in range(60)]
    taken = [rows for rows in seen if rows]
    assert all(len(rows) == 3 for rows in taken)
    assert {row for rows in taken for row in rows} == set(range(70, 80))


def test_parts_are_large_enough_and_a_rate_above_one_is_refused() -> None:
    parts = num_parts_for(256.0, 64)
    sizes = np.random.default_rng(0).binomial(10000, 0.0256, 100_000)
    assert sizes.max() <= 64 * parts
    assert num_parts_for(1.0, 64) == 1
    with pytest.raises(ValueError, match="sample rate"):
        batches(rate=1.5)
