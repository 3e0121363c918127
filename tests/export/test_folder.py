"""An exported folder is whole or not there."""

import errno
import os
import signal
from pathlib import Path

import pytest

from slimlit.export.folder import expected_bytes, whole_or_none


def write_and_fail(place: Path, problem: Exception) -> None:
    with whole_or_none(place, 0) as folder:
        (folder / "model").write_text("half")
        raise problem


def test_a_folder_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "a" / "b", RuntimeError())
    assert list(tmp_path.iterdir()) == []


def test_an_older_export_stays_where_a_new_one_fails(tmp_path: Path) -> None:
    with whole_or_none(tmp_path / "b", 0) as folder:
        (folder / "model").write_text("old")
    with pytest.raises(RuntimeError):
        write_and_fail(tmp_path / "b", RuntimeError())
    assert (tmp_path / "b" / "model").read_text() == "old"
    assert [path.name for path in tmp_path.rglob("*")] == ["b", "model"]


@pytest.mark.parametrize(
    "problem",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        Exception("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_a_clear_line_and_nothing_is_half_written(tmp_path: Path, problem: Exception) -> None:
    with pytest.raises(ValueError, match="no room on the disk"):
        write_and_fail(tmp_path / "b", problem)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_with_too_little_room_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="MiB are needed"), whole_or_none(tmp_path / "b", 2**60):
        pytest.fail("nothing may be written")
    assert list(tmp_path.iterdir()) == []


def write_and_end(place: Path) -> None:
    with whole_or_none(place, 0) as folder:
        (folder / "model").write_text("half")
        os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_leaves_nothing_half_written_and_the_next_export_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stop:
        write_and_end(tmp_path / "b")
    assert stop.value.code == 143
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is before
    (tmp_path / "b.slimlit-unfinished").mkdir()
    (tmp_path / "b.unfinished").mkdir()  # not ours
    with whole_or_none(tmp_path / "b", 0):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "b.unfinished"]


def test_who_may_read_the_folder_may_read_its_files(tmp_path: Path) -> None:
    with whole_or_none(tmp_path / "b", 0) as folder:
        (folder / "model.safetensors").touch(mode=0o600)
        (folder / "README.md").touch()
    modes = {path.stat().st_mode for path in (tmp_path / "b").iterdir()}
    assert len(modes) == 1


def test_an_int8_export_is_not_refused_for_want_of_the_room_of_a_float32_one(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(4000))
    (tmp_path / "tokenizer.json").write_bytes(bytes(500))
    assert expected_bytes(10**6, tmp_path, is_int8=True) == 1_100_000 + 500 + 2**20
    assert expected_bytes(10**6, tmp_path, is_int8=False) == 4_400_000 + 500 + 2**20
