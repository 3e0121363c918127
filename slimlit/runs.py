"""Where a run lives: its name, its directory, and the files in it."""

import difflib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

REPLACED = ".replaced"  # ends the name of a folder whose place a new one is taking


@dataclass(frozen=True)
class Run:
    """One run, one directory: the resolved config, checkpoints, metrics, reports and the student."""

    folder: Path

    @property
    def name(self) -> str:
        """The directory's name; also the run's name and id at W&B."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """The resolved config, every setting written out."""
        return self.folder / "config.yaml"

    @property
    def last(self) -> Path:
        """The checkpoint ``--resume`` continues from."""
        return self.folder / "checkpoints" / "last.ckpt"

    @property
    def best(self) -> Path:
        """The weights with the best validation score so far."""
        return self.folder / "checkpoints" / "best.ckpt"

    @property
    def student(self) -> Path:
        """The finished student, a Hugging Face folder."""
        return self.folder / "student"

    @property
    def metrics(self) -> Path:
        """Every logged number, one row a step."""
        return self.folder / "metrics.csv"

    @property
    def reports(self) -> Path:
        """What was found out about the run: data, scores, confusion matrix."""
        return self.folder / "reports"

    @property
    def page(self) -> Path:
        """All of it on one page, which every verb writes anew."""
        return self.folder / "report.html"

    @property
    def private(self) -> Path:
        """The journal of noisy steps, and while the run lasts its secret; nothing of it is ever exported."""
        return self.folder / "private"

    @property
    def ledger(self) -> Path:
        """What the model's training tells of which data."""
        return self.folder / "privacy.json"

    @property
    def short_name(self) -> str:
        """What ``--run`` takes: the name alone where the run is in ``runs/``."""
        return self.name if self.folder.parent == Path("runs") else str(self.folder)

    def refuse_existing(self, option: str = "--run") -> None:
        """Stop before anything of an existing run is overwritten; ``option`` is the one that named it.

        Raises:
            ValueError: the run exists.
        """
        if self.config.is_file():
            raise ValueError(
                f"run {self.name!r} exists: {self.folder}\n"
                f"continue it: {self.resume_command()}\nor give another name: {option} NAME"
            )
        if self.folder.exists():
            raise ValueError(
                f"{self.folder} exists, and is no run: it has no config.yaml\n"
                f"remove it, or give another name: {option} NAME"
            )

    def clear_plan(self) -> None:
        """Remove what a killed ``compress`` leaves: a plan that no ``fit`` was begun with."""
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()
        if "plan" in names and names <= {"plan", "reports"} and (self.folder / "plan").is_dir():
            shutil.rmtree(self.folder)

    def resume_command(self) -> str:
        """The command that continues this run."""
        return f"slimlit fit --run {self.short_name} --resume"


def place(name: str, parent: str) -> Run:
    """The run called ``name`` in the folder ``parent``; a name with a slash is a path of its own.

    Raises:
        ValueError: the name cannot be a directory and a W&B id at once.
    """
    path = Path(name)
    if not re.fullmatch(r"[\w.+=,@ -]+", path.name) or path.name.startswith("."):
        raise ValueError(f"--run {name!r} is no name for a run\nexpected letters, digits, and any of . _ - + = , @")
    return Run(path if len(path.parts) > 1 else Path(parent) / path)


def find(name: str, parent: str) -> Run:
    """The run called ``name``, which exists.

    Raises:
        ValueError: there is no such run.
    """
    run = place(name, parent)
    if run.config.is_file():
        return run
    known = sorted(path.parent.name for path in run.folder.parent.glob("*/config.yaml"))
    if not known:
        raise ValueError(
            f"no run {run.name!r}: there are no runs in {run.folder.parent}/\nmake one: slimlit fit --config FILE"
        )
    near = difflib.get_close_matches(run.name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    raise ValueError(f"no run {run.name!r} in {run.folder.parent}/\n{hint}there are: {shown}")


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all, even where the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[IO[str]]:
    """A file to write bit by bit that is there whole when all is written, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def replace_folder(new: Path, old: Path) -> None:
    """Put the folder ``new`` in the place of ``old``, whole; whoever may read the folder may read its files."""
    mode = stat.S_IMODE(new.stat().st_mode) & 0o666  # safetensors lets the owner alone read what it writes
    for path in new.rglob("*"):
        if path.is_file():
            path.chmod(mode)
    aside = old.with_name(old.name + REPLACED)
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        os.replace(old, aside)
    os.replace(new, old)
    shutil.rmtree(aside, ignore_errors=True)
