"""The headline row: a compressed student's int8 export in its own runtime against the teacher in eager float32.

    python -m experiments.compression.headline --teacher RUN --export FOLDER --test FILE

RUN is the teacher's; FOLDER what ``slimlit export --to onnx --precision int8`` wrote of the compressed student; FILE has test texts
as ``text`` and ``label``. The two take turns; processor time of one thread, medians of the rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from slimlit.data.files import Columns, read_texts
from slimlit.export.runtimes import open_export
from slimlit.models import Head, Pretrained
from slimlit.runs import Run

Say = Callable[[dict[str, Any]], Any]


def main() -> None:
    """Score both on the test texts, time both, and print the row."""
    parser = argparse.ArgumentParser(prog="python -m experiments.compression.headline", description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    labels = sorted({str(label) for label in read_texts(asked.test, Columns(), "test").labels})
    network = Pretrained(str(asked.teacher)).build(Head(labels)).eval()

    @torch.inference_mode()
    def teacher(inputs: dict[str, Any]) -> Any:
        return network(**{name: torch.from_numpy(part) for name, part in inputs.items()}).logits.numpy()

    run = open_export(asked.export, 1)
    ways: dict[str, tuple[Say, Any, Path]] = {
        "teacher, eager float32": (teacher, AutoTokenizer.from_pretrained(Run(asked.teacher).student), Run(asked.teacher).student),
        "student, exported int8": (lambda inputs: run(inputs)["logits"], AutoTokenizer.from_pretrained(asked.export), asked.export),
    }  # fmt: skip
    texts = read_texts(asked.test, Columns(), "test")
    numbers = {label: number for number, label in enumerate(labels)}
    right = {name: accuracy(say, tokenizer, texts, numbers) for name, (say, tokenizer, _) in ways.items()}
    seconds: dict[tuple[str, int], list[float]] = {}
    for _ in range(asked.rounds):
        for batch in (1, 32):
            for name, (say, _, _) in ways.items():
                seconds.setdefault((name, batch), []).append(clock(say, batch))
    for name, (_, _, folder) in ways.items():
        size = sum(file.stat().st_size for file in folder.glob("model.*") if file.suffix in (".safetensors", ".onnx"))
        one, many = (statistics.median(seconds[name, batch]) for batch in (1, 32))
        print(
            f"{name}: accuracy {right[name]:.4f}, {size / 1e6:.2f} MB, {1000 * one:.2f} ms for one of 32 tokens, {32 / many:.0f} texts a CPU second in batches of 32"
        )
    slow, fast = (statistics.median(seconds[name, 32]) for name in ways)
    print(
        f"throughput x {slow / fast:.1f}, share of the accuracy {right['student, exported int8'] / right['teacher, eager float32']:.4f}"
    )


def accuracy(say: Say, tokenizer: Any, texts: Any, numbers: dict[str, int]) -> float:
    """Of all test texts, in batches of 32."""
    found = []
    for start in range(0, len(texts.texts), 32):
        batch = tokenizer(
            texts.texts[start : start + 32], truncation=True, max_length=64, padding=True, return_tensors="np"
        )
        inputs = {name: batch[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
        wanted = [numbers[str(label)] for label in texts.labels[start : start + 32]]
        found += (np.asarray(say(inputs)).argmax(axis=1) == np.asarray(wanted)).tolist()
    return float(np.mean(found))


def clock(say: Say, batch: int, repeats: int = 6) -> float:
    """Processor seconds of a batch of random words, 32 tokens each."""
    ids = np.random.default_rng(0).integers(1000, 4000, (batch, 32)).astype(np.int64)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    say(inputs)
    began = time.process_time()
    for _ in range(repeats):
        say(inputs)
    return (time.process_time() - began) / repeats


if __name__ == "__main__":
    main()
