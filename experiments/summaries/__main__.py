"""Teach smollm2 to sum up a paper in a sentence, make it smaller, and train what is left with and without it.

    python -m experiments.summaries --data FOLDER

FOLDER holds SciTLDR as ``train.jsonl.gz``, ``dev.jsonl.gz`` and ``test.jsonl.gz``. What has run is not run again; the table
and ``results.json`` are in ``OUTPUT``. ROUGE is against all summaries of a paper, the best one counting (Cachola et al. 2020).
"""

import argparse
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments.smaller import Smaller, write_config

HARD, SOFT = ({"class_path": f"slimlit.losses.{name}"} for name in ("VocabularyLabels", "VocabularyTargets"))
BOTH = {
    "class_path": "slimlit.losses.WeightedSum",
    "init_args": {"losses": {"hard": HARD, "soft": SOFT}, "weights": {"hard": 0.5, "soft": 0.5}},
}
LOSSES = {"labels": HARD, "labels and teacher": BOTH, "teacher alone": SOFT}
ORDER = "Sum up this paper in one sentence.\n\n"


def main() -> None:
    """Train what is not there yet, write the summaries of the test papers, and score them."""
    parser = argparse.ArgumentParser(prog="python -m experiments.summaries", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("runs/summaries"))
    parser.add_argument("--papers", type=int, default=1992, help="to learn from")
    parser.add_argument("--written", type=int, default=618, help="test papers to sum up")
    parser.add_argument("--words", type=int, default=120, help="of a paper's abstract that are read")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--layers", type=float, default=0.57, help="share of them to take away")
    parser.add_argument("--lr", type=float, default=6e-4, help="of the students")
    parser.add_argument("--students", nargs="*", default=list(LOSSES), choices=list(LOSSES))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    for name, number in (("train", asked.papers), ("dev", 64), ("test", asked.written)):
        if not (asked.output / f"{name}.jsonl").exists():
            write_turns(asked.data / f"{name}.jsonl.gz", asked.output / f"{name}.jsonl", number, asked.words)
    references = read_summaries(asked.data / "test.jsonl.gz", asked.written)
    leads = first_sentences(asked.data / "test.jsonl.gz", asked.written)
    results: dict[str, dict[str, Any]] = {"the first sentence": score(leads, references)}
    whole = {"student": {"class_path": "slimlit.models.Pretrained", "init_args": {"source": "smollm2"}}}
    run(asked, "teacher", whole, "smollm2", 1e-4)
    results["teacher, 30 layers"] = judge(asked, "teacher", references)
    small = Smaller(asked.output / "teacher", asked.output / "small", asked.layers)
    small.make()
    for name in asked.students:
        model = {"teacher": small.teacher, "student": small.student, "loss": LOSSES[name]}
        short = name.replace(" ", "-")
        run(asked, short, model, small.tokenizer, asked.lr)
        results[name] = judge(asked, short, references)
        (asked.output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        print(table(results), flush=True)


def run(asked: argparse.Namespace, name: str, model: dict[str, Any], tokenizer: str, lr: float) -> None:
    """Fit, test and predict one model, where that is not done yet."""
    folder = asked.output / name
    optimizer = {"class_path": "slimlit.tasks.optimizers.AdamW", "init_args": {"lr": lr}}
    data = {
        **{split: str(asked.output / f"{file}.jsonl") for split, file in (("train", "train"), ("validation", "dev"), ("test", "test"))},
        "tokenizer": tokenizer, "max_length": 320, "batch_size": 8,
    }  # fmt: skip
    trainer = {"max_epochs": asked.epochs, "precision": "bf16-mixed", "enable_progress_bar": False}
    whole = {
        "model": {"class_path": "slimlit.tasks.CausalLM", "init_args": {**model, "optimizer": optimizer, "generation": {"max_new_tokens": 40}}},
        "data": {"class_path": "slimlit.data.Dialogues", "init_args": data},
        "trainer": trainer,
    }  # fmt: skip
    file = asked.output / f"{name}.yaml"
    write_config(file, whole)
    where = ["--run", str(folder), "--wandb", "disabled"]
    if not (folder / "student").is_dir():
        call("fit", "--config", str(file), *where)
    if not (folder / "reports" / "test.json").is_file():
        call("test", *where)
    if not (folder / "predictions.jsonl").is_file():
        call("predict", *where, "--data.predict", str(asked.output / "test.jsonl"))


def call(*arguments: str) -> None:
    """One verb of slimlit, in a process of its own."""
    subprocess.run([sys.executable, "-m", "slimlit", *arguments], check=True)


def judge(asked: argparse.Namespace, name: str, references: list[list[str]]) -> dict[str, Any]:
    """The scores of a run: its summaries against all references, and its perplexity."""
    folder = asked.output / name
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    found = score([line["continuation"] for line in lines], references)
    tested = json.loads((folder / "reports" / "test.json").read_text())
    return {**found, **{key.removeprefix("test/"): value for key, value in tested.items()}}


def score(written: list[str], references: list[list[str]]) -> dict[str, Any]:
    """ROUGE of summaries."""
    from slimlit.text.scores import rouge

    return {name: found.value for name, found in rouge(written, references, "en").items()}


def read_papers(source: Path, number: int) -> list[dict[str, Any]]:
    """The first papers of a file."""
    with gzip.open(source, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line, _ in zip(file, range(number), strict=False)]


def write_turns(source: Path, target: Path, number: int, words: int) -> None:
    """Papers as dialogues of two turns: the order and the abstract's first words, and the first summary."""
    turns = []
    for paper in read_papers(source, number):
        abstract = " ".join(paper["document"].split()[:words])
        turns.append({"turns": [ORDER + abstract, paper["summaries"][0].strip()]})
    target.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in turns), encoding="utf-8")


def read_summaries(source: Path, number: int) -> list[list[str]]:
    """All summaries of each paper."""
    return [[text.strip() for text in paper["summaries"]] for paper in read_papers(source, number)]


def first_sentences(source: Path, number: int) -> list[str]:
    """What anyone can do without a model: the abstract's first sentence."""
    return [paper["document"].split(". ")[0] + "." for paper in read_papers(source, number)]


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as a Markdown table."""
    best = results["teacher, 30 layers"]["rougeL"]
    lines = [
        "| summed up by | ROUGE-1 | ROUGE-2 | ROUGE-L | share of the teacher's ROUGE-L | perplexity | agreement |",
        "|---|" + "---:|" * 6,
    ]
    for name, one in results.items():
        cells = [f"{one[key]:.2f}" for key in ("rouge1", "rouge2", "rougeL")] + [f"{one['rougeL'] / best:.3f}"]
        cells += [f"{one[key]:.3f}" if key in one else "" for key in ("perplexity", "agreement")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
