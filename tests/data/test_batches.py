import numpy as np
import pytest

from slimlit.data.batches import LengthGroupedBatches, SortedBatches, cuts, padding_waste


def make_lengths(count: int) -> np.ndarray:
    """Lengths like those of the sentences of film reviews: 27 tokens on average, 4 to 75."""
    random = np.random.default_rng(0)
    return np.clip(random.gamma(5.0, 5.5, count), 4, 75).astype(np.int64)


LENGTHS = make_lengths(503)


@pytest.mark.parametrize("batch_size", [1, 7, 32, 503, 1000])
def test_every_example_comes_once_an_epoch(batch_size: int) -> None:
    batches = LengthGroupedBatches(LENGTHS, batch_size)
    for _ in range(2):
        rows = list(batches)
        assert len(rows) == len(batches)
        assert sorted(row for batch in rows for row in batch) == list(range(503))
        assert all(len(batch) <= batch_size for batch in rows)


def test_the_order_is_that_of_seed_and_epoch() -> None:
    batches, same, other = (LengthGroupedBatches(LENGTHS, 32, seed) for seed in (3, 3, 4))
    first, second = list(batches), list(batches)
    assert first != second
    assert list(same) == first
    assert list(same) == second
    assert list(other) != first
    assert [batch.tolist() for batch in LengthGroupedBatches(LENGTHS, 32, 3).epoch(1)] == second


def test_the_order_of_all_times() -> None:
    """A change here is a change of everybody's runs; checkpoints from before would go on with other batches."""
    assert [batch.tolist() for batch in LengthGroupedBatches(np.arange(7) % 3, 2, seed=5).epoch(2)] == [
        [0, 3],
        [1, 5],
        [6, 4],
        [2],
    ]


@pytest.mark.parametrize("taken", [0, 1, 15, 16, 17, 40])
def test_iterating_continues_where_a_run_stopped(taken: int) -> None:
    whole = LengthGroupedBatches(LENGTHS, 32)
    order = [batch for _ in range(4) for batch in whole]
    rest = iter(LengthGroupedBatches(LENGTHS, 32, num_taken=lambda: taken))
    assert [next(rest) for _ in range(20)] == order[taken : taken + 20]


@pytest.mark.parametrize("batch_size", [4, 5, 32])
@pytest.mark.parametrize("num_processes", [2, 3])
def test_processes_together_see_the_batches_of_one(batch_size: int, num_processes: int) -> None:
    whole = list(LengthGroupedBatches(LENGTHS, batch_size, num_processes=num_processes))
    shares = [
        list(LengthGroupedBatches(LENGTHS, batch_size, rank=rank, num_processes=num_processes))
        for rank in range(num_processes)
    ]
    together = LengthGroupedBatches(LENGTHS, batch_size, num_processes=num_processes).epoch(0)
    assert len(whole) == len(together)
    for number, batch in enumerate(together):
        parts = [share[number] for share in shares]
        assert sorted(row for part in parts for row in part) == sorted(batch.tolist())
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert min(map(len, parts)) >= 1


@pytest.mark.parametrize("batch_size", [8, 32])
def test_a_number_of_processes_that_leaves_no_small_rest_changes_no_batch(batch_size: int) -> None:
    one = LengthGroupedBatches(LENGTHS, batch_size).epoch(0)
    two = LengthGroupedBatches(LENGTHS, batch_size, num_processes=2).epoch(0)
    assert [batch.tolist() for batch in one] == [batch.tolist() for batch in two]


def test_a_rest_too_small_for_all_processes_joins_the_batch_before() -> None:
    assert cuts(9, 4, 1) == [(0, 4), (4, 8), (8, 9)]
    assert cuts(9, 4, 2) == [(0, 4), (4, 9)]
    assert cuts(10, 4, 2) == [(0, 4), (4, 8), (8, 10)]
    assert cuts(0, 4, 1) == []


@pytest.mark.parametrize(("num_rows", "batch_size"), [(10, 1), (1, 10)])
def test_a_process_without_an_example_is_refused(num_rows: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match="are shared by 2 processes\nexpected at least one example for each process"):
        cuts(num_rows, batch_size, 2)


@pytest.mark.parametrize("batch_size", [16, 32, 64])
def test_less_than_a_twentieth_is_padding(batch_size: int) -> None:
    lengths = make_lengths(8530)
    for epoch in range(3):
        assert padding_waste(lengths, LengthGroupedBatches(lengths, batch_size).epoch(epoch)) < 0.05


def test_batches_do_not_come_in_order_of_length() -> None:
    means = [float(LENGTHS[batch].mean()) for batch in LengthGroupedBatches(LENGTHS, 16).epoch(0)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.5


def test_who_shares_a_batch_changes_from_epoch_to_epoch() -> None:
    batches = LengthGroupedBatches(make_lengths(8530), 32)
    first, second = (next(batch for batch in batches.epoch(epoch) if 0 in batch) for epoch in (0, 1))
    assert len(set(first.tolist()) & set(second.tolist())) < 16


def test_reading_goes_by_length_and_sees_each_example_once() -> None:
    batches = list(SortedBatches(LENGTHS, 32))
    order = [row for batch in batches for row in batch]
    assert sorted(order) == list(range(503))
    assert (np.diff(LENGTHS[order]) >= 0).all()
    shares = [list(SortedBatches(LENGTHS, 32, rank, 2)) for rank in (0, 1)]
    assert [sorted(a + b) for a, b in zip(*shares, strict=True)] == [sorted(batch) for batch in batches]


def test_padding_waste_is_the_share_of_padding() -> None:
    assert padding_waste(np.array([1, 3, 2]), [[0, 1], [2]]) == pytest.approx(2 / 8)
