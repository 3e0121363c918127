"""``Smaller``: what ``slimlit compress`` keeps of a causal teacher, as student, teacher and tokenizer stand in a config."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slimlit.__main__ import main


def write_config(file: Path, settings: dict[str, Any]) -> None:
    """Write a config, unless a run was begun with another one of that name."""
    text = yaml.safe_dump(settings, sort_keys=False)
    if file.exists() and file.read_text() != text:
        raise SystemExit(f"{file} was written with other settings: name another --output")
    file.write_text(text)


@dataclass(frozen=True)
class Smaller:
    """A student without ``layers`` (a share) of a run's layers, and without the words its training texts do not have.

    The layers that stay are those that move its states most on 64 training texts.
    """

    run: Path
    to: Path
    layers: float

    def make(self) -> None:
        """Choose the layers and words, unless that is done."""
        if (self.to / "student").is_dir():
            known = json.loads((self.to / "reports" / "compress.json").read_text())["shares"]["layers"]
            if known != self.layers:
                raise SystemExit(f"{self.to} was made with --layers {known}, not {self.layers}: name another --output")
            return
        asked = ["--layers", str(self.layers), "--score", "activation", "--vocabulary", "seen", "--max_examples", "64"]
        if main(["compress", "--run", str(self.run), "--to", str(self.to), *asked, "--wandb", "disabled"]):
            raise SystemExit(1)

    @property
    def tokenizer(self) -> str:
        """Of the words that stay."""
        return str(self.to / "plan")

    @property
    def student(self) -> dict[str, Any]:
        """The layers and words that stay, as they were in the run."""
        return self._named("Pruned")

    @property
    def teacher(self) -> dict[str, Any]:
        """The run, which reads the student's words."""
        return self._named("FewerWords")

    def _named(self, name: str) -> dict[str, Any]:
        settings = {"source": str(self.run), "plan": self.tokenizer}
        return {"class_path": f"slimlit.compress.{name}", "init_args": settings}
