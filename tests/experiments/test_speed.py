"""The speed experiment: its harness runs on toy data, and its tables say what was measured."""

import importlib.util
from pathlib import Path

import pytest
import torch

from experiments.speed.clock import Clock
from experiments.speed.contestants import NAMES, NEEDS, find
from experiments.speed.job import LABELS, Job, score
from experiments.speed.report import job_table, steps_table
from experiments.speed.steps import CONTESTANTS, measure
from experiments.speed.stopwatch import SKIPPED
from slimlit.models import Head, Pretrained
from slimlit.models.tokenizers import load_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # contestants are foreign code in this process
    pytest.mark.usefixtures("_one_thread"),
]


@pytest.fixture
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def job(tmp_path: Path, toy_model: Path) -> Job:
    """Sixteen sentences and a tiny teacher."""
    lines = [f"a {word} film,{label}" for word, label in (("good", "positive"), ("bad", "negative"))]
    for split in ("train", "held-out"):
        texts = [f"{number} {line}" for number in range(8) for line in lines]
        (tmp_path / f"{split}.csv").write_text("\n".join(["text,label", *texts]) + "\n")
    teacher = tmp_path / "teacher"
    Pretrained(str(toy_model), pooling="mean").build(Head(LABELS)).save_pretrained(teacher)
    load_tokenizer(str(toy_model)).save_pretrained(teacher)
    return Job(str(tmp_path), str(teacher), layers=(1,), num_epochs=2, batch_size=4, max_length=16, num_threads=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_contestant_trains_the_job_between_the_same_marks(name, job):
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed here")
    clock = Clock()
    student = find(name)(job, clock)
    measured = clock.read()
    assert len(measured["epochs"]) == 2
    assert 0.0 < sum(measured["epochs"]) <= measured["total"] <= measured["whole"]
    assert 0.0 <= score(student, job.examples("held-out")) <= 1.0
    assert student.config.num_labels == 2
    assert student.config.num_hidden_layers == 1


def test_step_times_are_medians_over_the_steps_after_the_first_ones(job):
    found = measure(job, "32-true", SKIPPED + 4, 1, list(CONTESTANTS))
    assert {name: one["num_steps"] for name, one in found.items()} == {"bare": 3, "stock": 3, "slimlit": 3}
    assert all(one["cpu_ms"] > 0.0 and one["wall_ms"] > 0.0 for one in found.values())


def test_the_table_compares_later_epochs_with_both_floors_and_whole_jobs_with_slimlit():
    def run(*epochs: float) -> dict[str, object]:
        rest = {"before_first_epoch": 0.5, "accuracy": 0.75, "peak_mib": 100.0}
        return {"epochs": list(epochs), "whole": sum(epochs) + 0.5, **rest}

    found = {"floor": [run(2, 1, 1)], "floor-plain": [run(2, 2, 2)], "slimlit": [run(9, 1.1, 1.1)] * 2}
    row = job_table({**found, "bare": [run(4, 4, 4.0)]}).splitlines()[-1]
    assert row == "| bare | 4.00 | 4.00 | 4.00 | 2.00 | 0.50 | 12.50 | 1.07 | 0.750 | 100 |"


def test_the_table_of_steps_compares_with_the_bare_loop():
    def run(cpu: float) -> list[dict[str, object]]:
        return [{"size": "student", "precision": "32-true", "cpu_ms": cpu, "wall_ms": cpu / 2}]

    row = steps_table({"bare": run(10.0), "slimlit": run(11.0)}).splitlines()[-1]
    assert row == "| student, 32-true | slimlit | 11.0 | 1.10 | 5.5 | 1.10 |"
