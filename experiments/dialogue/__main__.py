"""Teach smollm2 dialogues, make it smaller, and bring it back: by labels, by the teacher, and by the teacher grading what it writes.

    python -m experiments.dialogue --data FOLDER --steps 60 --teacher_steps 60

FOLDER holds ``train.jsonl.gz``, ``dev.jsonl.gz`` and ``test.jsonl.gz`` of the Schema-Guided Dialogues, as ``turns``; each is cut after a
reply drawn at random, which is the one that is learned. All ways take the same steps over the same batches; the table is
``OUTPUT/table.md``.
"""

import argparse
import gzip
import json
import random
import time
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer

from experiments.smaller import Smaller, write_config
from slimlit.__main__ import main
from slimlit.callbacks import ReplyReport
from slimlit.data import Dialogues
from slimlit.models import Pretrained
from slimlit.tasks import CausalLM

LABELS = {"class_path": "slimlit.losses.VocabularyLabels"}
TARGETS = {"class_path": "slimlit.losses.VocabularyTargets"}
JENSEN_SHANNON = {**TARGETS, "init_args": {"divergence": "jensen-shannon"}}
BOTH = {
    "class_path": "slimlit.losses.WeightedSum",
    "init_args": {"losses": {"hard": LABELS, "soft": TARGETS}, "weights": {"hard": 0.5, "soft": 0.5}},
}
WRITES = {"class_path": "slimlit.callbacks.StudentWrites", "init_args": {"share": 0.5, "max_new_tokens": 24}}
TEACHER = "the teacher: labels"
WAYS: dict[str, tuple[Any, list[Any]]] = {
    "labels": (LABELS, []),
    "labels and teacher": (BOTH, []),
    "teacher, Jensen-Shannon": (JENSEN_SHANNON, []),
    "teacher, Jensen-Shannon, half of the replies its own": (JENSEN_SHANNON, [WRITES]),
}
SCORES = (
    "test/perplexity",
    "test/bits_per_byte",
    "test/accuracy",
    "test/reply_rougeL",
    "test/reply_bleu",
    "test/agreement",
)


def take(source: Path, target: Path, number: int) -> None:
    """Write the first dialogues of a file, each up to one of its replies."""
    drawn = random.Random(0)
    with gzip.open(source, "rt", encoding="utf-8") as file, target.open("w", encoding="utf-8") as cut:
        for line in islice(file, number):
            turns = json.loads(line)["turns"]
            cut.write(json.dumps({"turns": turns[: 2 * drawn.randint(1, len(turns) // 2)]}, ensure_ascii=False) + "\n")


def config(loss: Any, callbacks: list[Any], asked: argparse.Namespace, small: Smaller) -> dict[str, Any]:
    """The config of one way."""
    report = {
        "class_path": "slimlit.callbacks.ReplyReport",
        "init_args": {"num_replies": asked.replies, "max_new_tokens": 32},
    }
    return {
        "model": {
            "class_path": "slimlit.tasks.CausalLM",
            "init_args": {
                "teacher": small.teacher,
                "student": small.student,
                "loss": loss,
                "optimizer": {"class_path": "slimlit.tasks.optimizers.AdamW", "init_args": {"lr": asked.lr}},
            },
        },
        "data": {"class_path": "slimlit.data.Dialogues", "init_args": settings_of(asked, small.tokenizer)},
        "trainer": {
            "max_steps": asked.steps,
            "precision": "bf16-mixed",
            "limit_val_batches": 0,
            "enable_progress_bar": False,
            "callbacks": [*callbacks, report],
        },
        "checkpoint": {"monitor": None, "every_n_steps": 10_000},
    }


def settings_of(asked: argparse.Namespace, tokenizer: str) -> dict[str, Any]:
    """What the data module is told."""
    return {
        **{name: str(asked.output / f"{name}.jsonl") for name in ("train", "validation", "test")},
        "tokenizer": tokenizer, "max_length": asked.max_length, "batch_size": asked.batch_size, "replies": "last",
    }  # fmt: skip


def teacher_config(asked: argparse.Namespace, small: Smaller) -> dict[str, Any]:
    """The config of the teacher, which learns from labels."""
    whole = config(LABELS, [], asked, small)
    del whole["model"]["init_args"]["teacher"]
    whole["model"]["init_args"]["student"] = {
        "class_path": "slimlit.models.Pretrained",
        "init_args": {"source": asked.model},
    }
    whole["model"]["init_args"]["optimizer"]["init_args"]["lr"] = 1.0e-4
    whole["data"]["init_args"]["tokenizer"] = asked.model
    whole["trainer"]["max_steps"] = asked.teacher_steps
    return whole


def of_teacher(asked: argparse.Namespace) -> dict[str, float]:
    """The scores of the model as it came."""
    settings = settings_of(asked, asked.model)
    report = ReplyReport(num_replies=asked.replies, max_new_tokens=32)
    trainer = Trainer(
        logger=False, enable_progress_bar=False, default_root_dir=asked.output / "untrained", callbacks=[report]
    )
    (found,) = trainer.test(CausalLM(Pretrained(asked.model)), datamodule=Dialogues(**settings), verbose=False)
    return dict(found)


def run() -> None:
    """Train each way, test it, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--output", type=Path, default=Path("runs/dialogue-experiment"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--teacher_steps", type=int, default=300, help="that the teacher learns from labels first")
    parser.add_argument("--layers", type=float, default=0.53, help="share of them to take away")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--max_length", type=int, default=128)
    parser.add_argument("--dialogues", type=int, default=6000)
    parser.add_argument("--replies", type=int, default=200)
    parser.add_argument("--ways", nargs="*", type=int, default=[*range(len(WAYS))], choices=[*range(len(WAYS))])
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    for name, file, number in (
        ("train", "train", asked.dialogues),
        ("validation", "dev", 8),
        ("test", "test", asked.replies),
    ):
        if not (asked.output / f"{name}.jsonl").exists():
            take(asked.data / f"{file}.jsonl.gz", asked.output / f"{name}.jsonl", number)
    known = asked.output / "untrained.json"
    if not known.exists():
        known.write_text(json.dumps(of_teacher(asked)))
    small = Smaller(asked.output / "teacher", asked.output / "small", asked.layers)
    train("teacher", teacher_config(asked, small), asked.output)
    small.make()
    for number, (loss, callbacks) in enumerate(WAYS.values()):
        if number in asked.ways:
            train(f"way{number}", config(loss, callbacks, asked, small), asked.output)
    table = write_table(asked.output)
    settings = f"{asked.steps} steps of {asked.batch_size}, {asked.replies} test dialogues, torch {torch.__version__}"
    (asked.output / "table.md").write_text(f"{table}\n\n{settings}\n")


def train(name: str, settings: dict[str, Any], output: Path) -> None:
    """Fit and test one model, unless that is done."""
    file, place = output / f"{name}.yaml", output / name
    write_config(file, settings)
    if (place / "reports" / "test.json").exists():
        return
    started = time.process_time()
    if main(["fit", "--config", str(file), "--run", str(place), "--wandb", "disabled"]):
        raise SystemExit(1)
    (output / f"{name}.seconds").write_text(str(time.process_time() - started))
    if main(["test", "--run", str(place), "--wandb", "disabled"]):
        raise SystemExit(1)


def write_table(output: Path) -> str:
    """The ways that have been tested, as a Markdown table."""
    rows = [("smollm2 as it comes", json.loads((output / "untrained.json").read_text()), "0")]
    for folder, name in [("teacher", TEACHER), *((f"way{number}", name) for number, name in enumerate(WAYS))]:
        found = output / folder / "reports" / "test.json"
        if found.exists():
            rows.append((name, json.loads(found.read_text()), (output / f"{folder}.seconds").read_text()))
    table = [f"| trained by | {' | '.join(score.removeprefix('test/') for score in SCORES)} | CPU s |"]
    table.append("|---|" + "---:|" * (len(SCORES) + 1))
    for way, scores, cost in rows:
        cells = [f"{scores[score]:.3f}" if score in scores else "" for score in SCORES]
        table.append(f"| {way} | {' | '.join(cells)} | {float(cost):.0f} |")
    return "\n".join(table)


if __name__ == "__main__":
    run()
