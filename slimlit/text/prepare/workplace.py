"""``Workplace``: where an unfinished data set is made, so that a killed run goes on where it was and leaves nothing half-written."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimlit import runs


@dataclass(frozen=True)
class Workplace:
    """The folder beside the output that holds what is done so far; the output itself appears whole, at the end."""

    output: Path

    @property
    def folder(self) -> Path:
        """The folder of unfinished work."""
        return self.output.with_name(self.output.name + ".unfinished")

    @property
    def result(self) -> Path:
        """What will be the output."""
        return self.folder / "result"

    def chunk(self, number: int, kind: str) -> Path:
        """A file of one chunk of documents."""
        return self.folder / "chunks" / f"{number:06d}.{kind}"

    @contextmanager
    def opened(self, settings: dict[str, Any]) -> Iterator[bool]:
        """Hold the folder for this process; tells whether it continues earlier work.

        Raises:
            ValueError: the output exists, or is being made by another process or with other settings.
        """
        if self.output.exists():
            if self.report_of("parts") is not None and not self.result.exists():
                shutil.rmtree(self.folder)  # left by a run that was killed after its last step
            raise ValueError(f"{self.output} exists\nname another output, or move it away")
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as held:
                raise ValueError(f"{self.output} is being made by another process\nwait for it, or stop it") from held
            kept = self.folder / "settings.json"
            begun = kept.is_file()
            if begun:
                self._refuse_other(json.loads(kept.read_text(encoding="utf-8")), settings)
            else:
                runs.write(kept, json.dumps(settings, indent=2))
            try:
                yield begun
            except ValueError:
                if not (self.folder / "chunks").exists():  # a mistake found before anything was done
                    shutil.rmtree(self.folder)
                raise

    def _refuse_other(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        new = json.loads(json.dumps(new))
        other = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        if other:
            raise ValueError(
                f"{self.output} was begun with other settings: {', '.join(other)}\n"
                f"give the same ones to continue it, or remove {self.folder} to begin again"
            )

    def report_of(self, stage: str) -> dict[str, Any] | None:
        """What a stage found, if it is done."""
        path = self.folder / "stages" / f"{stage}.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def finish_stage(self, stage: str, report: dict[str, Any]) -> None:
        """Mark a stage as done, with what it found."""
        runs.write(self.folder / "stages" / f"{stage}.json", json.dumps(report, ensure_ascii=False))

    def publish(self) -> None:
        """Put the result in its place, whole, and remove the rest."""
        os.replace(self.result, self.output)
        shutil.rmtree(self.folder)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)
