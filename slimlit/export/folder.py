"""``whole_or_none``: a folder written beside its place and moved there when it is good; nothing half-written stays, whatever happens."""

import errno
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slimlit import runs


@contextmanager
def whole_or_none(place: Path, num_bytes: int) -> Iterator[Path]:
    """A fresh folder to write in, which becomes ``place`` at the end and is gone where the block fails.

    SIGTERM ends the block with status 143 and cleans up too. What a killed process (SIGKILL, no power) leaves as ``NAME.unfinished``
    the next export to the same place removes.

    Args:
        place: in the place of which an older export may stand.
        num_bytes: expected; a disk with less room is refused beforehand.

    Raises:
        ValueError: the disk is full.
    """
    new = place.with_name(place.name + ".unfinished")
    shutil.rmtree(new, ignore_errors=True)
    parents = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place.parent).free
        if free < num_bytes:
            raise ValueError(
                _full(place, f"about {num_bytes / 2**20:.0f} MiB are needed and {free / 2**20:.0f} are free")
            )
        new.mkdir()
        with _ended_by_sigterm():
            yield new
        runs.replace_folder(new, place)
    except BaseException as problem:
        shutil.rmtree(new, ignore_errors=True)
        for folder in parents:  # those that were made for it alone
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if _is_full(problem):
            raise ValueError(_full(place, str(problem).splitlines()[0])) from problem
        raise


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set what a signal does
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_full(problem: BaseException) -> bool:
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    return "No space left on device" in str(problem)  # safetensors, onnx and openvino have errors of their own


def _full(place: Path, said: str) -> str:
    return f"no room on the disk for {place}: {said}\nmake room, or name another place: --output FOLDER"


def bytes_of(folder: Path) -> dict[str, int]:
    """The size of each file of a folder, the greatest first."""
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))
