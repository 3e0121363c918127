"""The verb ``explain``: its options, what it refuses, and what it writes: a page, JSON, or lines in the terminal."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser

from slimlit import runs
from slimlit.callbacks.artifacts import show
from slimlit.explain.page import draw_page
from slimlit.explain.terminal import draw_lines, has_colours
from slimlit.explainer.asked import Wanted
from slimlit.explainer.exam_of_run import read_grades, take_exam
from slimlit.explainer.explanation import explain_run
from slimlit.runs import Run
from slimlit.tasks.base import Task


@dataclass(frozen=True)
class Options:
    """What the command line asked."""

    wanted: Wanted
    methods: list[str]
    exam: bool
    as_json: bool
    output: str | None


def add_options(parser: LightningArgumentParser) -> None:
    """The options of the verb, beside those of every verb."""
    parser.add_argument("--text", type=str, help="a text to explain; for translations and dialogues, what is read")
    parser.add_argument("--pair", type=str, help="its second text, where examples are pairs")
    parser.add_argument("--file", type=str, help="texts to explain, in a file as predict reads it")
    parser.add_argument(
        "--split", type=str, choices=["train", "validation", "test"], help="explain the run's own texts"
    )
    parser.add_argument("--errors", action="store_true", help="of them, the wrong answers the student is surest of")
    parser.add_argument("--word", type=str, help="where words are answered, explain this one alone")
    parser.add_argument(
        "--methods", type=str, default="", help="names with commas between, or all; default: three that fit"
    )
    parser.add_argument("--num_examples", type=int, default=20, help="texts at most")
    parser.add_argument(
        "--exam",
        action="store_true",
        help="grade the methods on the test texts (or --split, --file), and keep the grades",
    )
    parser.add_argument("--json", action="store_true", help="write records to the output, for machines")


def read_options(settings: Any, config: Mapping[str, Any]) -> Options:
    """The options, checked.

    Raises:
        ValueError: they do not fit together, or ask for private texts.
    """
    given = [f"--{name}" for name in ("text", "file", "split") if settings[name] is not None]
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} both say what to explain\nleave one of them out")
    if settings.errors and given and given != ["--split"]:
        raise ValueError(
            f"--errors chooses among the run's own texts, and {given[0]} gives others\nleave one of them out"
        )
    if settings.pair is not None and settings.text is None:
        raise ValueError("--pair is the second text of an example\ngive the first: --text")
    if not given and not settings.errors and not settings.exam:
        raise ValueError(
            'nothing to explain\ngive --text "...", --file FILE, --split test, --errors, or take an --exam'
        )
    if settings.num_examples < 1:
        raise ValueError(f"--num_examples is {settings.num_examples}; expected 1 or more")
    names = [name.strip() for name in settings.methods.split(",") if name.strip()]
    wanted = Wanted(
        settings.text,
        settings.pair,
        settings.file,
        settings.split,
        settings.errors,
        settings.word,
        settings.num_examples,
    )
    if is_private(config):
        refuse_private(wanted)
    return Options(wanted, names, settings.exam, settings.json, settings.output)


def is_private(config: Mapping[str, Any]) -> bool:
    """Whether the run protects its training texts."""
    callbacks = config["trainer"].get("callbacks") or []
    return any(str(one.get("class_path")).endswith(".DifferentialPrivacy") for one in callbacks)


def refuse_private(wanted: Wanted) -> None:
    """A reason shows words of its text: those of a private run's own texts are shown to nobody.

    Raises:
        ValueError: they were asked for.
    """
    if wanted.errors or wanted.split == "train":
        what = "--errors" if wanted.errors else "--split train"
        raise ValueError(
            f"{what} would show private texts: the run was trained under differential privacy\n"
            "explain public ones: --text or --file"
        )


def explain(run: Run, task: Task, data: LightningDataModule, options: Options, trainer: Trainer) -> None:
    """Explain what was asked, and say what was written."""
    say = sys.stderr if options.as_json else sys.stdout
    device = trainer.strategy.root_device
    if options.exam:
        print(take_exam(run, task, data, options.wanted, options.methods, device), file=say)
    wanted = options.wanted
    if options.exam and wanted.text is None and not wanted.errors:
        return
    found = explain_run(run, task, data, wanted, options.methods, device, read_grades(run))
    page = draw_page(found)
    file = Path(options.output) if options.output else run.reports / "explain.html"
    runs.write(file, page)
    show(trainer, {"explanations": page})
    for logger in trainer.loggers:
        logger.finalize("success")
    if options.as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    elif len(found.examples) == 1:
        print("\n" + draw_lines(found, has_colours(sys.stdout.isatty())))
    count = len(found.examples)
    print(f"\n{count} text{'s' if count != 1 else ''} explained: {file} ({len(page.encode()) / 1000:.0f} kB)", file=say)
