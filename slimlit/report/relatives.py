"""The runs a run comes from, and those that come from it."""

from pathlib import Path

import yaml

from slimlit.report.reading import Found, dig, read_yaml
from slimlit.runs import Run
from slimlit.text.downloads.bundles import BUNDLES, folder_of

_MOST = 200  # runs beside this one whose configs are looked at


def teacher_source(found: Found) -> str | None:
    """What the config names as the teacher: a run, a folder, a bundle or a model of the hub."""
    source = dig(found.config, "model", "init_args", "teacher", "init_args", "source")
    return source if isinstance(source, str) else None


def made_of(found: Found) -> str | None:
    """What the student starts from: itself, a model by name, or the teacher."""
    student = dig(found.config, "model", "init_args", "student", "init_args")
    for key in ("source", "of"):
        if isinstance(dig(student, key), str):
            return str(student[key])
    return None


def as_run(found: Found, source: str | None) -> Run | None:
    """The run behind a source, from here or beside this one; None where it is none, or gone."""
    if not source:
        return None
    for folder in (Path(source), found.run.folder.parent / Path(source).name):
        if (folder / "config.yaml").is_file() and folder.resolve() != found.run.folder.resolve():
            return Run(folder)
    return None


def model_folder(found: Found, source: str | None) -> Path | None:
    """Where the model behind a source lies on this machine."""
    if not source:
        return None
    run = as_run(found, source)
    folders = [*([run.student] if run else []), Path(source), Path(source) / "student"]
    if source in BUNDLES:
        folders.append(folder_of(source))
    return next((folder for folder in folders if (folder / "config.json").is_file()), None)


def students_of(found: Found) -> list[Run]:
    """The runs beside this one whose teacher it is."""
    run, students = found.run, []
    for config in sorted(run.folder.parent.glob("*/config.yaml"))[:_MOST]:
        try:
            text = config.read_text(encoding="utf-8")
            if config.parent == run.folder or run.name not in text:
                continue
            settings = read_yaml(text)
        except (OSError, ValueError, yaml.YAMLError):
            continue
        source = dig(settings, "model", "init_args", "teacher", "init_args", "source")
        if isinstance(source, str) and Path(source).name == run.name:
            students.append(Run(config.parent))
    return students
