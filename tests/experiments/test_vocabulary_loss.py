"""The contestants of the experiment on losses over a vocabulary compute the same loss."""

import pytest
import torch

from experiments.vocabulary_loss.__main__ import table
from experiments.vocabulary_loss.contestants import CONTESTANTS
from experiments.vocabulary_loss.job import make_job


@pytest.mark.parametrize("name", ["slimlit", "slimlit, unequal factors", "naive, private", "slimlit, private"])
def test_a_contestant_computes_what_the_naive_one_does(name: str) -> None:
    naive, job = make_job(256, 300), make_job(256, 300)
    wanted, found = CONTESTANTS["naive"](naive).detach(), CONTESTANTS[name](job).detach()
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0.0)
    if name == "slimlit":
        for mine, right in ((job.weight.grad, naive.weight.grad), (job.hidden.grad, naive.hidden.grad)):
            torch.testing.assert_close(mine, right, rtol=1e-5, atol=1e-8)


def test_both_floors_are_the_same_products() -> None:
    job = make_job(128, 1500)
    whole, blocks = (CONTESTANTS[f"products alone, {how}"](job) for how in ("whole", "in blocks"))
    torch.testing.assert_close(blocks, whole, rtol=1e-4, atol=1e-3)


def test_the_table_sets_times_beside_the_floor_and_memory_beside_the_naive_one() -> None:
    row = {"cpu_s": 2.0, "wall_s": 1.0, "extra_mib": 100.0, "loss": 0.5}
    rows = {"products alone, whole": row, "naive": row | {"extra_mib": 400.0}, "slimlit": row | {"cpu_s": 3.0}}
    assert "| slimlit | 3.0 | 1.50 | 1.0 | 100 | 0.25 | 0.5000 |" in table(rows)
