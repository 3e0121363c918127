"""The verdict of the demo: teacher and student side by side in quality, size and speed."""

import json
import math
import statistics
import time
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

import slimlit.models  # noqa: F401 (teaches AutoModel our classifier)

SENTENCE = "a gripping , quietly funny film that never once talks down to its audience , even when it should have ."


def verdict(teacher_run: Path, student_run: Path) -> str:
    """A few lines: accuracy, share kept, parameters, file size, latency on one thread and on two, and where things are."""
    runs = {"teacher": teacher_run, "student": student_run}
    scores = {name: json.loads((run / "reports" / "test.json").read_text()) for name, run in runs.items()}
    models = {
        name: AutoModelForSequenceClassification.from_pretrained(run / "student").eval() for name, run in runs.items()
    }
    sizes = {
        name: sum(file.stat().st_size for file in (run / "student").glob("*.safetensors")) for name, run in runs.items()
    }
    times = {threads: latencies(models, teacher_run / "student", threads) for threads in (1, 2)}
    rows = [f"{'':12}{'teacher':>12}{'student':>12}"]
    accuracy = {name: score["test/accuracy"] for name, score in scores.items()}
    rows.append(f"{'accuracy':12}{accuracy['teacher']:12.4f}{accuracy['student']:12.4f}")
    counts = {name: sum(weight.numel() for weight in model.parameters()) / 1e6 for name, model in models.items()}
    rows.append(f"{'parameters':12}{counts['teacher']:10.1f} M{counts['student']:10.1f} M")
    rows.append(f"{'file size':12}{sizes['teacher'] / 2**20:8.1f} MiB{sizes['student'] / 2**20:8.1f} MiB")
    for threads, taken in times.items():
        label = f"{threads} thread{'s' * (threads > 1)}"
        rows.append(f"{label:12}{taken['teacher'] * 1e3:9.1f} ms{taken['student'] * 1e3:9.1f} ms")
    kept = accuracy["student"] / accuracy["teacher"]
    count = json.loads((student_run / "reports" / "data-test.json").read_text())["test"]["examples"]
    # they can differ only on texts where they disagree: a bound on the standard error of the difference
    error = math.sqrt((1 - scores["student"]["test/agreement"]) / count) / accuracy["teacher"]
    layers = {name: model.config.num_hidden_layers for name, model in models.items()}
    return "\n".join(
        [
            "",
            *rows,
            "",
            f"The student keeps {kept:.1%} of the teacher's test accuracy (standard error {error:.1%}, {count} texts)",
            f"with {layers['student']} of its {layers['teacher']} layers, and answers one sentence "
            f"{times[1]['teacher'] / times[1]['student']:.1f} times as fast on one thread.",
            f"run directory  {student_run}",
            f"student        {student_run / 'student'}  (a Hugging Face folder)",
            f"pictures       {student_run / 'attention' / 'index.html'} and {student_run / 'reports'}",
            "next           python -m slimlit fit --help, or your own CSV: --data.train my.csv (README.md)",
        ]
    )


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
