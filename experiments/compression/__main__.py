"""Compresses a finished classifier step by step, tests every run that is not there yet, clocks them, and prints the table."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from experiments.classification.__main__ import count_weights
from slimlit.models import Head, Pretrained
from slimlit.tasks.memory import keep_freed_memory

HERE = Path(__file__).parent
HALF = ["--vocabulary", "seen", "--heads", "0.5", "--feed_forward", "0.5"]
STEPS = {
    "words": ("student", ["--vocabulary", "seen"]),
    "half-at-once": ("student", HALF),
    "half": ("student", [*HALF, "--epochs", "2"]),
    "narrow": ("student", [*HALF, "--embedding_size", "128", "--epochs", "2", "--weights", "dynamic-int8"]),
    "half-int8": ("half", ["--weights", "int8"]),
    "half-dynamic-int8": ("half", ["--weights", "dynamic-int8"]),
    "half-int4": ("half", ["--weights", "int4"]),
}


def main() -> None:
    """Make what is missing and report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.compression", description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True, help="the run that taught the student")
    parser.add_argument("--student", type=Path, required=True, help="the run to compress")
    parser.add_argument("--runs", type=Path, default=Path("runs/compression"), help="where runs are kept")
    asked = parser.parse_args()
    folders = {"teacher": asked.teacher, "student": asked.student}
    for name, (source, options) in STEPS.items():
        folders[name] = asked.runs / name
        if not (folders[name] / "student").is_dir():
            to = ["--to", str(folders[name].resolve()), "--teacher", str(asked.teacher)]
            call(["compress", "--run", str(folders[source]), *to, *options])
    for folder in folders.values():
        if not (folder / "reports" / "test.json").is_file():
            call(["test", "--run", str(folder)])
    clocks = clock({name: folder for name, folder in folders.items() if name not in ("words", "half-at-once")})
    results = [result_of(name, folder, clocks.get(name, {})) for name, folder in folders.items()]
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


def call(command: list[str]) -> None:
    """Run one verb."""
    if subprocess.run([sys.executable, "-m", "slimlit", *command, "--wandb=disabled"]).returncode:
        sys.exit(f"failed: slimlit {' '.join(command)}")


def result_of(name: str, folder: Path, clocks: dict[str, float]) -> dict[str, Any]:
    """What the table needs of a run."""
    file = folder / "student" / "model.safetensors"
    scores = json.loads((folder / "reports" / "test.json").read_text())
    return {"run": name, "accuracy": scores["test/accuracy"], "numbers": count_weights(file.parent)[0], "bytes": file.stat().st_size, **clocks}  # fmt: skip


@torch.inference_mode()
def clock(folders: dict[str, Path]) -> dict[str, dict[str, float]]:
    """CPU milliseconds of one batch of 32 tokens, in one thread: medians of rounds in which the networks take turns."""
    torch.set_num_threads(1)
    keep_freed_memory()
    networks = {name: Pretrained(str(folder)).build(Head()).eval() for name, folder in folders.items()}
    found: dict[str, dict[str, float]] = {name: {} for name in networks}
    for size, repeats in ((1, 20), (32, 2)):
        ids = torch.randint(5, 1000, (size, 32), generator=torch.Generator().manual_seed(0))
        times: dict[str, list[float]] = {name: [] for name in networks}
        for _ in range(9):
            for name, network in networks.items():
                start = time.process_time()
                for _ in range(repeats):
                    network(input_ids=ids, attention_mask=torch.ones_like(ids))
                times[name].append((time.process_time() - start) / repeats * 1000)
        for name, taken in times.items():
            found[name][f"ms, batch {size}"] = round(statistics.median(taken[1:]), 2)
    return found


def table(results: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = ["| run | test accuracy | numbers | MB | ms, batch 1 x 32 | ms, batch 32 x 32 |", "|---" * 6 + "|"]
    for one in results:
        clocks = " | ".join(str(one.get(f"ms, batch {size}", "")) for size in (1, 32))
        lines.append(
            f"| {one['run']} | {one['accuracy']:.4f} | {one['numbers'] / 1e6:.2f} M | {one['bytes'] / 1e6:.2f} | {clocks} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
