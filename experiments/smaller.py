"""``Smaller``: what ``slimlit compress`` keeps of a causal teacher, as student, teacher and tokenizer stand in a config."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimlit.__main__ import main


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
