"""Where a model comes from: a run of ours, a bundled package, a folder, or the hub, all named by one string."""

import difflib
import json
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from slimlit.text.downloads.bundles import BUNDLES, MODELS
from slimlit.text.downloads.bundles import find as find_bundle


def find(source: str) -> str:
    """The folder or hub name behind ``source``.

    Tried in this order: a run directory (its ``student/``), a folder with a ``config.json``, a bundled name, a hub name.

    Raises:
        ValueError: a run without a student yet, a folder without a model, a bundle not downloaded, a name nobody knows.
    """
    folder = Path(source)
    if (folder / "student" / "config.json").is_file():
        return str(folder / "student")
    if (folder / "config.json").is_file():
        return source
    if (folder / "config.yaml").is_file():
        raise ValueError(
            f"run {source} has no student yet\nfinish it: python -m slimlit fit --run {folder.name} --resume"
        )
    if source in BUNDLES:
        return str(find_bundle(source))
    if folder.is_dir():
        raise ValueError(
            f"no model in folder {source}: it has no config.json\nexpected a Hugging Face folder or a run directory"
        )
    if source.startswith(("/", ".", "~", "runs/")) or source.count("/") > 1:
        near = difflib.get_close_matches(folder.name, [path.name for path in folder.parent.glob("*")])
        hint = f"\nnear it: {', '.join(str(folder.parent / name) for name in near)}" if near else ""
        raise ValueError(f"no such model: {source}{hint}")
    return source


def read_config(source: str) -> PreTrainedConfig:
    """The configuration of the model at ``source``, without its weights.

    Raises:
        ValueError: there is none to be had.
    """
    place = find(source)
    try:
        return AutoConfig.from_pretrained(place)
    except (OSError, ValueError) as problem:
        near = difflib.get_close_matches(source, MODELS)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"no model configuration at {source!r}: {str(problem).splitlines()[0]}\n"
            f"{hint}expected a run, a folder, a hub name, or one of: {', '.join(MODELS)}"
        ) from problem


def read_architectures(source: str) -> list[str]:
    """The class names that the model's ``config.json`` was saved from."""
    path = Path(find(source)) / "config.json"
    if not path.is_file():
        return list(read_config(source).architectures or [])
    settings: dict[str, Any] = json.loads(path.read_text())
    return list(settings.get("architectures") or [])
