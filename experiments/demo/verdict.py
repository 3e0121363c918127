"""The verdict of the demo: teacher, student and private student side by side in quality, size, speed and privacy."""

import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

import slimlit.models  # noqa: F401 (teaches AutoModel our classifier)
from slimlit.privacy.ledger import shown

SENTENCE = "a gripping , quietly funny film that never once talks down to its audience , even when it should have ."


def verdict(teacher_run: Path, student_run: Path, private_run: Path) -> str:
    """A few lines: accuracy, size, latency on one thread and on two, epsilon and what the attack found, and where things are."""
    runs = {"teacher": teacher_run, "student": student_run, "private": private_run}
    scores = {name: read(run / "reports" / "test.json") for name, run in runs.items()}
    models = {
        name: AutoModelForSequenceClassification.from_pretrained(run / "student").eval() for name, run in runs.items()
    }
    sizes = {
        name: sum(file.stat().st_size for file in (run / "student").glob("*.safetensors")) for name, run in runs.items()
    }
    times = {threads: latencies(models, teacher_run / "student", threads) for threads in (1, 2)}
    accuracy = {name: score["test/accuracy"] for name, score in scores.items()}
    counts = {name: sum(weight.numel() for weight in model.parameters()) / 1e6 for name, model in models.items()}
    audit = read(private_run / "reports" / "audit.json")
    rows = [
        row("", *runs),
        row("accuracy", *(f"{value:.4f}" for value in accuracy.values())),
        row("parameters", *(f"{count:.1f} M" for count in counts.values())),
        row("file size", *(f"{size / 2**20:.1f} MiB" for size in sizes.values())),
        *(
            row(f"{threads} thread{'s' * (threads > 1)}", *(f"{taken[name] * 1e3:.1f} ms" for name in runs))
            for threads, taken in times.items()
        ),
        row("epsilon", "infinite", "infinite", shown(audit["claimed epsilon"])),
    ]
    kept = accuracy["student"] / accuracy["teacher"]
    count = read(student_run / "reports" / "data-test.json")["test"]["examples"]
    # they can differ only on texts where they disagree: a bound on the standard error of the difference
    error = math.sqrt((1 - scores["student"]["test/agreement"]) / count) / accuracy["teacher"]
    layers = {name: model.config.num_hidden_layers for name, model in models.items()}
    best = max(found["auc"] for name, found in audit["attacks"].items() if name != "words alone")
    bound = audit["epsilon is at least"]
    return "\n".join(
        [
            "",
            *rows,
            "",
            f"The student keeps {kept:.1%} of the teacher's test accuracy (standard error {error:.1%}, {count} texts)",
            f"with {layers['student']} of its {layers['teacher']} layers, and answers one sentence "
            f"{times[1]['teacher'] / times[1]['student']:.1f} times as fast on one thread.",
            f"The private student keeps {accuracy['private'] / accuracy['student']:.1%} of the student's, at epsilon "
            f"{shown(audit['claimed epsilon'])} and delta {audit['delta']:.2g} for each private sentence;",
            "its encoder learned from public reviews alone. The attack told members from others with an AUC of "
            f"{best:.2f} at best",
            f"(0.5 is chance), and from {bound['num_canaries']} canaries that epsilon is at least {bound['epsilon']:.2f}.",
            f"run directory  {student_run}, {private_run}",
            f"student        {student_run / 'student'}  (a Hugging Face folder)",
            f"pictures       {student_run / 'attention' / 'index.html'}, {student_run / 'reports'}, "
            f"{private_run / 'reports' / 'audit.svg'}",
            "next           python -m slimlit fit --help, or your own CSV: --data.train my.csv (README.md)",
        ]
    )


def row(name: str, *cells: str) -> str:
    """A row of the table."""
    return f"{name:12}" + "".join(f"{cell:>12}" for cell in cells)


def read(file: Path) -> dict[str, Any]:
    """A report."""
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def latencies(
    models: dict[str, PreTrainedModel], tokenizer_folder: Path, threads: int, repeats: int = 40
) -> dict[str, float]:
    """Median seconds each model takes for one sentence, tokenised, models in turn."""
    inputs = AutoTokenizer.from_pretrained(tokenizer_folder)(SENTENCE, return_tensors="pt")
    taken: dict[str, list[float]] = {name: [] for name in models}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    with torch.inference_mode():
        for _ in range(repeats):
            for name, model in models.items():
                began = time.perf_counter()
                model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
                taken[name].append(time.perf_counter() - began)
    torch.set_num_threads(before)
    return {name: statistics.median(values[5:]) for name, values in taken.items()}
