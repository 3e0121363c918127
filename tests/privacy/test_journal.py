"""The journal counts every release once, keeps its secret, and survives a cut."""

import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from slimlit.privacy.accounting import NoisySteps
from slimlit.privacy.journal import Journal, Mechanism

SECRET = b"s" * 32
MECHANISM = Mechanism(1.0, 0.5, "flat", 0.1, 40.0, "example", 400, 1e-5)


def test_a_step_repeated_is_one_release_and_another_is_charged(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "private")
    journal.begin(MECHANISM, SECRET)
    for number, tag in [(0, "a"), (1, "b"), (1, "b"), (2, "c"), (2, "d")]:
        journal.step(number, tag)
    once, twice = journal.stages()
    assert once == NoisySteps(1.0, 0.1, 2)
    assert (twice.noise_multiplier, twice.num_steps) == (pytest.approx(0.5**0.5), 1)
    assert journal.stages(more=5)[0] == NoisySteps(1.0, 0.1, 7)
    journal.begin(MECHANISM, SECRET)
    assert sum("mechanism" in line for line in journal.lines()) == 1
    assert journal.mechanism() == MECHANISM
    assert journal.is_private()


def test_a_step_repeated_with_other_noise_is_the_same_sample_told_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(MECHANISM, SECRET)
    journal.step(0, "a")
    journal.begin(replace(MECHANISM, noise_multiplier=2.0), SECRET)
    journal.step(0, "b")
    (stage,) = journal.stages()
    assert stage.noise_multiplier == pytest.approx((1 + 1 / 4) ** -0.5)


def test_a_step_repeated_with_another_secret_is_another_sample(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(MECHANISM, SECRET)
    journal.step(0, "a")
    identity = journal.identity()
    journal.begin(MECHANISM, b"t" * 32)
    journal.step(0, "b")
    assert journal.stages() == [NoisySteps(1.0, 0.1, 2)]
    assert journal.identity() == identity != ""


@pytest.mark.parametrize(
    "line",
    ["[]", '{"mechanism": {}}', '{"step": "1", "tag": "a"}', '{"tag": "a"}', "garbage", '{"step": 0, "tag": "a"}'],
)
def test_a_journal_that_makes_no_sense_claims_nothing(line: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    tmp_path.joinpath("journal.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"damaged"):
        journal.stages()
    with suppress(ValueError):
        journal.begin(MECHANISM, SECRET)
    with pytest.raises(ValueError, match=r"damaged"):
        journal.stages()


def test_a_mechanism_cut_off_is_written_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    tmp_path.joinpath("journal.jsonl").write_text('{"mechanism": {"noi')
    journal.begin(MECHANISM, SECRET)
    journal.step(0, "a")
    assert journal.stages() == [NoisySteps(1.0, 0.1, 1)]


def test_a_line_cut_off_is_counted_and_the_next_stays_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(MECHANISM, SECRET)
    journal.step(0, "a")
    with journal.path.open("ab") as stream:
        stream.write(b'{"step": 1, "ta')
    journal.step(1, "b")
    assert journal.stages() == [NoisySteps(1.0, 0.1, 3)]


def test_the_secret_is_the_owners_and_is_destroyed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "private")
    secret = journal.secret()
    file = tmp_path / "private" / "secret"
    assert journal.secret() == secret == file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    journal.forget_secret()
    assert not file.exists()
    assert journal.secret() != secret
    file.write_bytes(b"short")
    with pytest.raises(ValueError, match="5 bytes"):
        journal.secret()


def test_seeded_noise_is_not_private(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(MECHANISM, SECRET, private=False)
    assert not journal.is_private()
