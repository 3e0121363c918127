"""What a command line says of runs, read ahead of the parser: a verb that names a run reads that run's config."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from slimlit import runs
from slimlit.runs import Run
from slimlit.settings import read_command_line

EXAMPLES = {
    "fit": "slimlit fit --config my.yaml --run first --trainer.max_epochs 3",
    "validate": "slimlit validate --run first",
    "test": "slimlit test --run first --data.batch_size 64",
    "predict": "slimlit predict --run first --data.predict texts.csv --output labelled.jsonl",
    "audit": "slimlit audit --run first --max_examples 500",
    "explain": 'slimlit explain --run first --text "a gripping, tender film"',
    "compress": "slimlit compress --run first --to small --vocabulary seen --heads 0.5 --feed_forward 0.5 --epochs 2",
    "export": "slimlit export --run first --to onnx --precision int8",
    "bench": "slimlit bench --run first --quick",
}
_ALONE = (
    "predict",
    "audit",
    "explain",
    "compress",
    "export",
    "bench",
)  # one process, one file, in the order of the texts


class Asked:
    """What the command line says of runs and configs, read ahead of the parser."""

    def __init__(
        self, verb: str, rest: list[str], run: str | None, parent: str, resume: bool, configs: list[str]
    ) -> None:
        self.verb, self.rest = verb, rest
        self.run, self.parent, self.resume, self.configs = run, parent, resume, configs

    @classmethod
    def read(cls, arguments: list[str]) -> "Asked":
        """Read the few options that decide which config is read."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        parser.add_argument("--run")
        parser.add_argument("--runs", default="runs")
        parser.add_argument("--resume", action="store_true")
        parser.add_argument("-c", "--config", action="append", default=[])
        try:
            known, _ = parser.parse_known_args(arguments[1:])
        except argparse.ArgumentError as mistake:
            raise ValueError(f"{arguments[0]}: {mistake}\nfor example: {EXAMPLES[arguments[0]]}") from mistake
        return cls(arguments[0], arguments[1:], known.run, known.runs, known.resume, known.config)

    def complete(self) -> list[str]:
        """The arguments, with the run's own config first where one is needed.

        Raises:
            ValueError: there is no such run, or it is not finished, or none was named.
        """
        if {"-h", "--help", "--print_shtab"} & set(self.rest):
            return [self.verb, *self.rest]
        if self.verb == "fit":
            if self.run is None or not self.resume or self.configs:
                return [self.verb, *self.rest]
            found = runs.find(self.run, self.parent)
            return [self.verb, "--config", str(found.config), "--runs", str(found.folder.parent), *self.rest]
        if self.run is None:
            raise ValueError(f"{self.verb} needs a run\nfor example: {EXAMPLES[self.verb]}")
        found = runs.find(self.run, self.parent)
        own = with_own_student(found)
        own["runs"] = str(found.folder.parent)  # where it is now: it may have been moved or copied
        if self.verb in _ALONE:
            own["trainer"] |= {"devices": 1, "num_nodes": 1, "strategy": "auto"}
            if self.verb != "explain" or teacher_is_gone(own):
                without_teacher(own)
            if self.verb in ("bench", "explain") and "packing" in own["data"]["init_args"]:
                own["data"]["init_args"]["packing"] = False  # runtimes know no packed documents, and each is explained
            if self.verb != "predict":
                own = {name: value for name, value in own.items() if name not in ("ckpt_path", "weights_only")}
        elif teacher_is_gone(own):
            without_teacher(own)
        config = yaml.safe_dump(own, sort_keys=False)
        return [self.verb, "--config", config, *self.rest]

    def check(self) -> None:
        """Find what can be wrong before anything heavy is imported: files, YAML, and the run.

        Raises:
            ValueError: it is wrong.
        """
        arguments = self.complete()
        settings = read_command_line(arguments[1:]).value
        if any(argument.startswith(("-h", "--help", "--print_config")) for argument in arguments):
            return
        if self.verb == "compress" and settings.get("to") is None:
            raise ValueError(f"compress needs the name of the new run: --to NAME\nfor example: {EXAMPLES['compress']}")
        if self.verb in ("validate", "test", "explain") and self.run is not None:
            own = with_own_student(runs.find(self.run, self.parent))
            if teacher_is_gone(own):
                done = "explained" if self.verb == "explain" else "scored"
                print(f"the teacher {_teacher(own)} is not there: the student is {done} without it", file=sys.stderr)
        name = settings["run"].value if "run" in settings else None
        first = os.environ.get("LOCAL_RANK", "0") == "0"  # the other processes of a run find it there
        if self.verb == "fit" and not self.resume and first and (name := name or self.config_name()):
            runs.place(str(name), settings["runs"].value if "runs" in settings else self.parent).refuse_existing()

    def config_name(self) -> str | None:
        """The name of the last config file."""
        return Path(self.configs[-1]).stem if self.configs else None


def with_own_student(run: Run) -> dict[str, Any]:
    """The config of a finished run, its student the one it made.

    Raises:
        ValueError: it has made none yet.
    """
    if not run.student.is_dir():
        raise ValueError(f"run {run.name!r} is not finished: it has no student/\nfinish it: {run.resume_command()}")
    try:
        config: dict[str, Any] = yaml.safe_load(run.config.read_text())
    except yaml.YAMLError as problem:
        raise ValueError(f"{run.config} is damaged: {str(problem).splitlines()[0]}") from problem
    if not isinstance(config, dict) or not {"model", "data", "trainer"} <= set(config):
        raise ValueError(f"{run.config} is damaged: it lacks model, data or trainer")
    model = config["model"]["init_args"]
    model["student"] = {"class_path": "slimlit.models.Pretrained", "init_args": {"source": str(run.folder)}}
    model.pop("optimizer", None)
    named_labels(config, run)
    return {**config, "ckpt_path": None}


def named_labels(config: dict[str, Any], run: Run) -> None:
    """Write the classes into a run's config, as trained: the training texts need not be there any more."""
    data = config["data"]["init_args"]
    if "labels" in data and data["labels"] is None:
        names: dict[str, str] = json.loads((run.student / "config.json").read_text())["id2label"]
        data["labels"] = [names[number] for number in sorted(names, key=int)]


def _teacher(config: dict[str, Any]) -> str | None:
    teacher = config["model"]["init_args"].get("teacher") or {}
    source: str | None = teacher.get("init_args", {}).get("source")
    return source


def teacher_is_gone(config: dict[str, Any]) -> bool:
    """Whether the teacher was a run or folder that is not there any more."""
    source = _teacher(config)
    return source is not None and source.startswith(("/", ".", "~", "runs/")) and not Path(source).exists()


def without_teacher(config: dict[str, Any]) -> None:
    """Take the teacher out, and what needs one."""
    model, trainer = config["model"]["init_args"], config["trainer"]
    model.pop("teacher", None)
    model.pop("loss", None)
    callbacks = trainer.get("callbacks")
    if isinstance(callbacks, list):
        trainer["callbacks"] = [one for one in callbacks if not str(one.get("class_path")).endswith(".TeacherCache")]
