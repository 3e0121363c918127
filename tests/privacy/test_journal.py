"""The journal counts every release once, keeps its secret, and survives a cut."""

import stat
from pathlib import Path

import pytest

from slimlit.privacy.accounting import NoisySteps
from slimlit.privacy.journal import Journal, Mechanism

MECHANISM = Mechanism(1.0, 0.5, "flat", 0.1, 40.0, "example", 400, 1e-5)


def test_a_step_repeated_is_one_release_and_another_is_charged(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "private")
    journal.begin(MECHANISM)
    for number, tag in [(0, "a"), (1, "b"), (1, "b"), (2, "c"), (2, "d")]:
        journal.step(number, tag)
    assert journal.stages() == [NoisySteps(1.0, 0.1, 2), NoisySteps(1.0 / 2**0.5, 0.1, 1)]
    assert journal.stages(more=5)[0] == NoisySteps(1.0, 0.1, 7)
    journal.begin(MECHANISM)
    assert sum("mechanism" in line for line in journal.lines()) == 1
    journal.begin(Mechanism(2.0, 0.5, "flat", 0.1, 40.0, "example", 400, 1e-5))
    journal.step(2, "c")
    assert NoisySteps(2.0, 0.1, 1) in journal.stages()
    assert journal.mechanism() is not None
    assert journal.is_private()


def test_a_line_cut_off_is_counted_and_the_next_stays_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.begin(MECHANISM)
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
    journal.begin(MECHANISM, private=False)
    assert not journal.is_private()
