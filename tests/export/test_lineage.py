"""Where an exported model says it comes from."""

from pathlib import Path
from typing import Any

import yaml

from slimlit import runs
from slimlit.export.lineage import Lineage, trace
from slimlit.runs import Run


def made(folder: Path, student: dict[str, Any], teacher: dict[str, Any] | None = None) -> Run:
    """A run of which there is a config alone."""
    run = Run(folder)
    runs.write(run.config, yaml.safe_dump({"model": {"init_args": {"student": student, "teacher": teacher}}}))
    return run


def network(name: str, **settings: Any) -> dict[str, Any]:
    return {"class_path": f"slimlit.models.{name}", "init_args": settings}


def test_runs_are_followed_to_the_first_model_by_the_name_the_hub_has_for_it(tmp_path: Path) -> None:
    made(tmp_path / "whole", network("Pretrained", source="minilm"))
    made(tmp_path / "half", network("Shrunk", of=None), network("Pretrained", source=str(tmp_path / "whole")))
    run = made(
        tmp_path / "small", network("Pruned", source="/gone/half", plan="p"), network("Pretrained", source="org/one")
    )
    found = trace(run)
    assert found == Lineage(("half", "whole", "minilm"), "sentence-transformers/all-MiniLM-L6-v2", "en", "model")
    assert (
        found.text
        == "half <- whole <- minilm (sentence-transformers/all-MiniLM-L6-v2, of language 'en' by its own card)"
    )
    made(tmp_path / "one", network("Fresh"))  # a run of the same name is not the hub's
    assert trace(run, "teacher") == Lineage(("org/one",), "org/one", "", "model")


def test_what_is_not_known_is_not_guessed_and_no_folder_is_told(tmp_path: Path) -> None:
    gone = trace(made(tmp_path / "one", network("Pretrained", source="/home/me/secret/model")))
    assert (gone.names, gone.hub, gone.end) == (("model",), "", "lost")
    assert gone.text == "model (before it: not known)"
    runs.write(tmp_path / "weights" / "config.json", "{}")
    local = trace(made(tmp_path / "two", network("Pretrained", source=str(tmp_path / "weights"))))
    assert local == Lineage(("weights",), end="model")
    fresh = made(tmp_path / "three", network("Fresh"), network("Pretrained", source="minilm"))
    assert trace(fresh).text == "itself (its weights began as noise)"
    assert trace(fresh).hub == ""
    made(tmp_path / "a", network("Pretrained", source=str(tmp_path / "b")))
    assert trace(made(tmp_path / "b", network("Pretrained", source=str(tmp_path / "a")))).end == "lost"
