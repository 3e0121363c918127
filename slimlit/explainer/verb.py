"""The verb ``explain``: its options, what it refuses, and what it writes: a page, JSON, or lines in the terminal."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser

from slimlit import runs
from slimlit.callbacks.artifacts import show
from slimlit.data import TextModule
from slimlit.explain.page import draw_page
from slimlit.explain.terminal import draw_lines, has_colours
from slimlit.explainer.asked import Wanted
from slimlit.explainer.exam_of_run import read_grades, take_exam
from slimlit.explainer.explanation import explain_run
from slimlit.privacy.ledger import Ledger
from slimlit.privacy.showing import refuse_private
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


OPTIONS: dict[str, Any] = {
    "text": str | None,
    "pair": str | None,
    "file": str | None,
    "split": Literal["train", "validation", "test"] | None,
    "errors": bool,
    "word": str | None,
    "methods": str,
    "num_examples": int,
    "exam": bool,
    "json": bool,
}


def add_options(parser: LightningArgumentParser) -> None:
    """The options of the verb, beside those of every verb."""
    told = {
        "text": "a text to explain; for translations and dialogues, what is read",
        "pair": "its second text, where examples are pairs",
        "file": "texts to explain, in a file as predict reads it",
        "split": "explain the run's own texts",
        "word": "where words are answered, explain this one alone",
    }
    for name, help_ in told.items():
        kind: dict[str, Any] = {"type": OPTIONS[name]} if name == "split" else {"type": str}
        parser.add_argument(f"--{name}", **kind, default=None, help=help_)
    parser.add_argument(
        "--methods", type=str, default="", help="names with commas between, or all; default: a few that fit"
    )
    parser.add_argument("--num_examples", type=int, default=20, help="texts at most")
    flags = {
        "errors": "of the run's own texts, the wrong answers the student is surest of; where it writes, the texts it knows least",
        "exam": "grade the methods on the test texts (or --split, --file), and keep the grades",
        "json": "write records to the output, for machines",
    }
    for name, help_ in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=help_)


def read_options(settings: Any) -> Options:
    """The options, checked.

    Raises:
        ValueError: they do not fit together.
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
    given_texts = (settings.text, settings.pair, settings.file, settings.split)
    wanted = Wanted(*given_texts, settings.errors, settings.word, settings.num_examples)
    return Options(wanted, names, settings.exam, settings.json, settings.output)


def refuse_private_texts(run: Run, data: LightningDataModule, wanted: Wanted, config: Mapping[str, Any]) -> None:
    """A reason shows words of its text: those that were protected are shown to nobody.

    Raises:
        ValueError: they were asked for.
    """
    split = wanted.split or ("test" if wanted.errors else None)
    sources: Mapping[str, str | None] = data.sources if isinstance(data, TextModule) else {}
    source = wanted.file if split is None else sources.get(split) or sources.get("train")
    callbacks = config["trainer"].get("callbacks") or []
    if run.ledger.is_file():
        refuse_private(Ledger.read(run.ledger), run.name, source, split)
    elif (split is not None or wanted.file in sources.values()) and any(
        str(one.get("class_path")).endswith(".DifferentialPrivacy") for one in callbacks
    ):
        raise ValueError(
            f"run {run.name!r} is private, and its ledger is gone\nexplain texts that may be shown: --text or --file"
        )


def explain(
    run: Run, task: Task, data: LightningDataModule, options: Options, trainer: Trainer, config: Mapping[str, Any]
) -> None:
    """Explain what was asked, and say what was written."""
    say = sys.stderr if options.as_json else sys.stdout
    device = trainer.strategy.root_device
    if options.exam:
        examined = None if options.wanted.file else options.wanted.split or "test"
        refuse_private_texts(run, data, replace(options.wanted, split=examined), config)
        print(take_exam(run, task, data, options.wanted, options.methods, device), file=say)
    wanted = options.wanted
    if options.exam and wanted.text is None and not wanted.errors:
        if options.as_json:
            print((run.reports / "exam.json").read_text(encoding="utf-8"))
        return
    refuse_private_texts(run, data, wanted, config)
    found = explain_run(run, task, data, wanted, options.methods, device, read_grades(run))
    page = draw_page(found)
    file = Path(options.output) if options.output else run.reports / "explain.html"
    runs.write(file, page)
    if wanted.errors:  # the run's page shows them beside the mistakes
        runs.write(run.reports / "explain-errors.json", json.dumps(found.as_json(), ensure_ascii=False) + "\n")
    show(trainer, {"explanations": page})
    for logger in trainer.loggers:
        logger.finalize("success")
    if options.as_json:
        print(json.dumps(found.as_json(), ensure_ascii=False))
    elif len(found.examples) == 1:
        print("\n" + draw_lines(found, has_colours(sys.stdout.isatty())))
    count = len(found.examples)
    print(f"\n{count} text{'s' if count != 1 else ''} explained: {file} ({len(page.encode()) / 1000:.0f} kB)", file=say)
