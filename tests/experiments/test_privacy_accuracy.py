"""The experiment on accuracy and privacy: its plan, its remembered encoder, its table and its plot."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import torch

from experiments.privacy.accuracy.plan import data_sets, ordinary_job, public_jobs, student_jobs
from experiments.privacy.accuracy.plot import plot
from experiments.privacy.accuracy.results import table
from experiments.privacy.accuracy.standard import standardise
from slimlit.data import TextClassification
from slimlit.models import Head, Shrunk

SETS = data_sets(Path("/shared"))


def scores_of(data: str, accuracy: float) -> dict[str, dict[str, float]]:
    kinds = [
        f"{data}-{kind}-{epsilon}-{seed}"
        for kind in ("with", "without")
        for epsilon in (1, 3, 8, "none")
        for seed in range(3)
    ]
    return {name: {"accuracy": accuracy} for name in [*kinds, f"{data}-ordinary-0"]}


def test_every_data_set_epsilon_kind_and_seed_is_one_run_and_only_those_without_epsilon_lack_noise():
    jobs = [job for data in SETS for job in student_jobs(data, Path("runs"), Path("/shared"))]
    assert len(jobs) == len({job.name for job in jobs}) == 3 * 4 * 2 * 3
    for job in jobs:
        is_noisy = any(re.search(r"epsilon_\d\.yaml", option) for option in job.options)
        assert is_noisy == job.is_private == ("-none-" not in job.name)


def test_no_public_stage_reads_a_private_training_file():
    for data in SETS:
        for job in public_jobs(data, Path("runs"), Path("/shared")):
            assert not [option for option in job.options if option.startswith("--data.") and "train.tsv" in option]
            assert f"--data.train=runs/text/{data.public}.tsv" in job.options
    assert "--data.train=/shared/sst2/train.tsv.gz" in ordinary_job(SETS[0], 0, Path("runs"), Path("/shared")).options


def test_the_share_kept_is_of_the_ordinary_student():
    scores = {**scores_of("sst2", 0.8), "sst2-with-3-1": {"accuracy": 0.83}}
    rows = table(scores, SETS).splitlines()
    assert rows[2].startswith("| SST-2 | without | – | 0.800 (0.800–0.800)")
    assert rows[3].endswith(
        "| 0.810 (0.800–0.830) | 0.800 (0.800–0.800) | 0.800 (0.800–0.800) | 101.2% | 0.800 (1 seed) |"
    )
    assert rows[4] == "| AG News | without | – | – | – | – | – | – | – |"


def test_the_plot_is_whole_and_has_a_dot_for_each_mean():
    drawing = ET.fromstring(plot(scores_of("sst2", 0.8) | scores_of("ag", 0.9), SETS))
    dots = [one for one in drawing.iter() if one.tag.endswith("circle")]
    assert len(dots) == 2 * 2 * 4


def test_standardised_vectors_have_mean_zero_and_variance_one(toy_files, toy_model):
    data = TextClassification(
        str(toy_files / "train.csv"), str(toy_model), validation=str(toy_files / "validation.csv"), max_length=16
    )
    data.setup("fit")
    student = Shrunk([1], pooling="mean", of=str(toy_model)).build(Head(data.labels)).eval()
    standardise(student, data)
    pooled: list[torch.Tensor] = []
    student.classifier.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    for batch in data.batches("train", 16):
        student(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    vectors = torch.cat(pooled)
    assert vectors.mean(0).abs().max() < 1e-3
    assert (vectors.std(0) - 1).abs().max() < 1e-3
