"""Texts that a run protects are refused by every name they have; all others are not."""

from pathlib import Path

import pytest

from slimlit.privacy.accounting import NoisySteps
from slimlit.privacy.ledger import Ledger, Stage, machine_key, place_of
from slimlit.privacy.showing import refuse_private
from slimlit.text.cache import cache_folder

NOISE = [NoisySteps(1.0, 0.1, 10)]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A public student of a teacher that was trained privately on ``people.csv`` and plainly on ``news.csv``."""
    files = {name: tmp_path / "data" / f"{name}.csv" for name in ("people", "news", "reviews")}
    files["people"].parent.mkdir()
    for file in files.values():
        file.write_text("text,label\n")
    key = machine_key(cache_folder())

    def stage(run: str, name: str, steps: list[NoisySteps] | None) -> Stage:
        source = str(files[name])
        return Stage(run, "training", source, "train", "x:1", 10, steps=steps, place=place_of(source, key))

    return Ledger(
        [stage("teacher", "people", NOISE), stage("teacher", "news", None), stage("student", "reviews", None)]
    )


def test_whatever_name_a_private_file_has_it_is_refused_and_so_is_a_folder_that_holds_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    people = tmp_path / "data" / "people.csv"
    (tmp_path / "link.csv").symlink_to(people)
    for name in (people, tmp_path / "link.csv", tmp_path / "data" / ".." / "data" / "people.csv", tmp_path / "data"):
        for split in (None, "test"):
            with pytest.raises(ValueError, match="was read under differential privacy by teacher"):
                refuse_private(ledger, "student", str(name), split)


def test_texts_that_no_private_stage_read_are_not_refused(ledger: Ledger, tmp_path: Path) -> None:
    refuse_private(ledger, "student", str(tmp_path / "data" / "reviews.csv"), "train")
    refuse_private(ledger, "student", str(tmp_path / "data" / "news.csv"))
    refuse_private(ledger, "student", None)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_every_split_of_a_private_run_is_refused_and_texts_of_ones_own_are_not(ledger: Ledger, split: str) -> None:
    with pytest.raises(ValueError, match=f"run 'teacher' was trained under differential privacy; its {split} texts"):
        refuse_private(ledger, "teacher", None, split)
    refuse_private(ledger, "teacher", None)


def test_a_private_run_that_was_renamed_is_refused_its_own_splits(ledger: Ledger) -> None:
    private = Ledger([*ledger.stages[2:], *ledger.stages[:1]])  # the last training had noise
    with pytest.raises(ValueError, match="its test texts are shown to nobody"):
        refuse_private(private, "another name", None, "test")
