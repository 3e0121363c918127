"""Trains what is missing, explains all students and their teachers, writes results.json and prints the table."""

import argparse
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from experiments.reasons.measure import (
    COMPARED,
    Maps,
    Texts,
    answers,
    chance,
    compare,
    load,
    maps_of,
    read_texts,
    untrained,
)
from experiments.reasons.plan import ARMS, FINISHED, TEACHER, arm_options, teacher_options
from slimlit.explain.agreement import TOP
from slimlit.explain.exam.intervals import mean_interval

HERE = Path(__file__).parent
BASE = "sst2-teacher"
LIKES = {"sst2-shares": "sst2-soft", "sst2-private": "sst2-soft", "sst2-pooling": "sst2-soft-of-attention"}
Measured = dict[str, Any]


def main() -> None:
    """Run what is missing and report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.reasons", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with sst2")
    parser.add_argument("--classification", type=Path, default=Path("runs/classification"), help="its finished runs")
    parser.add_argument("--runs", type=Path, default=Path("runs/reasons"), help="where runs and measurements are kept")
    parser.add_argument("--texts", type=int, default=200, help="test texts to explain")
    parser.add_argument(
        "--student",
        action="append",
        default=[],
        metavar="NAME=FOLDER=BEFORE",
        help="another student to measure, and the one measured here that it was made of (pruned, of 8 bits)",
    )
    parser.add_argument("--train", action="store_true", help="train the arms that are missing")
    asked = parser.parse_args()
    if asked.train:
        train(asked.runs, asked.classification, asked.data)
    texts = read_texts(asked.data, asked.texts)
    others = [one.split("=") for one in asked.student]
    homes = [
        ("untrained", "before training", None, BASE),
        (f"untrained of {TEACHER}", "before training, second teacher", None, TEACHER),
    ]
    homes += [(name, title, asked.classification / name, BASE) for name, title in FINISHED.items()]
    homes += [(arm.name, arm.title, asked.runs / arm.name, arm.teacher) for arm in ARMS]
    homes += [(name, f"{name}, made of {before}", Path(folder), BASE) for name, folder, before in others]
    homes += [(TEACHER, "trained again, pooled by attention", asked.runs / TEACHER, BASE)]
    measured: dict[str, Measured] = {}
    for name, title, folder, teacher in homes:
        source = (asked.classification if teacher == BASE else asked.runs) / teacher
        if not all((one / "student").is_dir() for one in (source, folder) if one is not None):
            continue
        file = asked.runs / f"{name.replace(' ', '-')}-{asked.texts}.json"
        if not file.is_file():
            classes, theirs = of_teacher(str(source), texts)
            own = texts if folder is None else read_texts(asked.data, asked.texts, str(folder))
            student = untrained(str(source), own) if folder is None else load(str(folder), own)
            file.write_text(json.dumps(compare(student, own, classes, theirs, texts)))
        about = {"title": title, "teacher": teacher, "accuracy": accuracy(folder)}
        measured[name] = {**about, **json.loads(file.read_text())}
        print(name, flush=True)
    likes = {**LIKES, **{name: before for name, _, before in others}}
    results = {"texts": len(texts.kept), "chance": chance(texts), "students": summarise(measured, likes)}
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


@cache
def of_teacher(source: str, texts: Texts) -> tuple[Tensor, Maps]:
    """The teacher's answers and its maps for them."""
    network = load(source, texts)
    classes = answers(network, texts)
    return classes, maps_of(network, texts, classes)


def train(runs: Path, classification: Path, shared: Path) -> None:
    """Train and test every arm that is not there yet, the second teacher first."""
    jobs = {TEACHER: teacher_options(shared)}
    for arm in ARMS:
        home = classification if arm.teacher == BASE else runs
        jobs[arm.name] = arm_options(arm, home / arm.teacher, shared)
    for name, options in jobs.items():
        for verb, given in (("fit", options), ("test", ["--wandb=disabled"])):
            if verb == "fit" and (runs / name / "student").is_dir():
                continue
            command = [sys.executable, "-m", "slimlit", verb, "--run", name, "--runs", str(runs), *given]
            if subprocess.run(command).returncode:
                sys.exit(f"{name} failed: {' '.join(command)}")


def accuracy(folder: Path | None) -> float | None:
    """On all test texts, as the verb test found it."""
    file = None if folder is None else folder / "reports" / "test.json"
    return None if file is None or not file.is_file() else float(json.loads(file.read_text())["test/accuracy"])


def summarise(measured: dict[str, Measured], likes: dict[str, str]) -> dict[str, Measured]:
    """Means with intervals (95 %), and the difference of each student to the one it is to be compared with, text by text."""
    found: dict[str, Measured] = {}
    for name, one in measured.items():
        values = {key: np.asarray(value, dtype=float) for key, value in one.items() if isinstance(value, list)}
        found[name] = {key: one[key] for key in ("title", "teacher", "accuracy")}
        found[name] |= {key: vars(mean_interval(value)) for key, value in values.items()}
        other = measured.get(likes.get(name, ""))
        if other is not None:
            found[name]["against"] = likes[name]
            found[name]["difference"] = {
                key: vars(mean_interval(value - np.asarray(other[key], dtype=float))) for key, value in values.items()
            }
    return found


def table(results: Measured) -> str:
    """The table as Markdown: rank correlations by method, overlap, and the reasons' own worth."""
    columns = {f"{name}: rank correlation": name for name in COMPARED}
    columns |= {f"leave-one-out: top {TOP}": f"top {TOP}, leave-one-out", "same answer": "same answer"}
    columns |= {name: name for name in ("comprehensiveness", "sufficiency")}
    lines = ["| student | accuracy | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 2) + "|"]
    for one in results["students"].values():
        shown = "" if one["accuracy"] is None else f"{one['accuracy']:.4f}"
        cells = ["{mean:.2f} [{low:.2f}, {high:.2f}]".format(**one[key]) for key in columns]
        lines.append(f"| {one['title']} | {shown} | " + " | ".join(cells) + " |")
        if "difference" in one:
            like = results["students"][one["against"]]["title"]
            cells = ["{mean:+.2f} [{low:+.2f}, {high:+.2f}]".format(**one["difference"][key]) for key in columns]
            lines.append(f"| ... less {like} | | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"{results['texts']} texts; by chance {results['chance']:.2f} of the top {TOP}"])


if __name__ == "__main__":
    main()
