"""``trace``: the models a run's student comes from, back to the first that is no run of ours."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from slimlit.runs import Run
from slimlit.text.downloads.bundles import BUNDLES

_FARTHEST = 20


@dataclass(frozen=True)
class Lineage:
    """Where weights come from.

    Args:
        names: of the runs, the nearest first, and of the model at the end as the last config names it, without its folder.
        hub: the first model's name on the hub; empty where it is none, or not known.
        language: of the first model, by its own card; empty where it is not known. It is not the student's: that has the language of
            its texts, which nobody wrote down.
        end: ``model`` where a model that is no run was reached, ``fresh`` where weights began as noise, ``lost`` where
            a run or a folder is gone, or its config does not say.
    """

    names: tuple[str, ...] = ()
    hub: str = ""
    language: str = ""
    end: Literal["model", "fresh", "lost"] = "lost"

    @property
    def text(self) -> str:
        """In words."""
        names = " <- ".join(self.names) or "itself"
        ends = {
            "model": self.hub
            and f" ({self.hub}{self.language and f', of language {self.language!r} by its own card'})",
            "fresh": " (its weights began as noise)",
            "lost": " (before it: not known)",
        }
        return names + ends[self.end]


def trace(run: Run, role: Literal["student", "teacher"] = "student") -> Lineage:
    """Follow the weights of a run's student or teacher from config to config.

    Guarantees:
        - a name on the hub is one that a config names, or the known upstream of a bundled model; nothing is guessed;
        - no folder of this machine is told, only its last name.
    """
    names: list[str] = []
    settings = _settings(run)
    source = _source(settings.get(role), settings.get("teacher"))
    for _ in range(_FARTHEST):
        if source is None:
            network = settings.get("student" if names else role) or {}
            return Lineage(tuple(names), end="fresh" if str(network.get("class_path")).endswith(".Fresh") else "lost")
        before = _as_run(run, Path(source))
        if before is None:
            return _end(names, source)
        names.append(before.name)
        run = Run(before)
        settings = _settings(run)
        source = _source(settings.get("student"), settings.get("teacher"))
    return Lineage(tuple(names))


def _as_run(run: Run, source: Path) -> Path | None:
    """The run behind a source, from here or, where folders were moved, beside the run that names it; never for a hub's name."""
    is_path = source.is_absolute() or "".join(source.parts[:1]) in ("..", "~", "runs", run.folder.parent.name)
    beside = [run.folder.parent / source.name] if is_path and len(source.parts) > 1 else []
    return next((one for one in (source, *beside) if (one / "config.yaml").is_file()), None)


def _end(names: list[str], source: str) -> Lineage:
    own = (*names, Path(source).name if Path(source).is_absolute() else source)
    if (Path(source) / "config.json").is_file():
        return Lineage((*names, Path(source).name), end="model")
    if source in BUNDLES:
        return Lineage(own, BUNDLES[source].upstream, BUNDLES[source].language, "model")
    if source.startswith(("/", ".", "~", "runs/")) or source.count("/") > 1 or Path(source).exists():
        return Lineage((*names, Path(source).name))
    return Lineage(own, source, end="model")


def _settings(run: Run) -> dict[str, Any]:
    config = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    found: dict[str, Any] = config["model"].get("init_args") or {}
    return found


def _source(network: dict[str, Any] | None, teacher: dict[str, Any] | None) -> str | None:
    """What a network's weights are read from; of one made of the teacher, the teacher's."""
    own = (network or {}).get("init_args") or {}
    source = own.get("source") or own.get("of")
    if source is None and str((network or {}).get("class_path")).endswith(".Shrunk") and teacher is not None:
        return _source(teacher, None)
    return source if isinstance(source, str) else None
