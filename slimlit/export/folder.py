"""``whole_or_none``: a folder written beside its place and moved there when it is good; nothing half-written stays, whatever happens."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slimlit import runs
from slimlit.disk import ended_by_sigterm, is_full, no_room

UNFINISHED = ".slimlit-unfinished"  # ends the name of a folder that is being written
_WAYS = "make room, or name another place: --output FOLDER"


@contextmanager
def whole_or_none(place: Path, num_bytes: int) -> Iterator[Path]:
    """A fresh folder to write in, which becomes ``place`` at the end and is gone where the block fails.

    SIGTERM ends the block with status 143 and cleans up too. What a killed process (SIGKILL, no power) leaves as
    ``NAME.slimlit-unfinished`` the next export to the same place removes; no other folder is touched. Its files may be read by
    whoever may read the folder.

    Args:
        place: in the place of which an older export may stand.
        num_bytes: expected; a disk with less room is refused beforehand.

    Raises:
        ValueError: the disk is full.
    """
    new = place.with_name(place.name + UNFINISHED)
    shutil.rmtree(new, ignore_errors=True)
    parents = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(place.parent).free
        if free < num_bytes:
            said = f"about {num_bytes / 2**20:.0f} MiB are needed and {free / 2**20:.0f} are free"
            raise ValueError(f"{no_room(place, said)}\n{_WAYS}")
        new.mkdir()
        with ended_by_sigterm():
            yield new
        runs.replace_folder(new, place)
    except BaseException as problem:
        shutil.rmtree(new, ignore_errors=True)
        for folder in parents:  # those that were made for it alone
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        if is_full(problem):
            raise ValueError(f"{no_room(place, problem)}\n{_WAYS}") from problem
        raise


def expected_bytes(num_weights: int, student: Path, is_int8: bool) -> int:
    """About what an export takes: a byte or four for each weight, a tenth for scales and graph, and what else is beside the weights."""
    others = sum(file.stat().st_size for file in student.iterdir() if file.is_file() and file.suffix != ".safetensors")
    return round(1.1 * num_weights * (1 if is_int8 else 4)) + others + 2**20


def bytes_of(folder: Path) -> dict[str, int]:
    """The size of each file of a folder, the greatest first."""
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))
