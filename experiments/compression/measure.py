"""``Side``: a run in PyTorch or an export in its runtime, its test accuracy, and its speed beside others in turn."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from slimlit.data.files import Texts
from slimlit.export.runtimes import open_export
from slimlit.models import Head, Pretrained
from slimlit.runs import Run

Batches = list[dict[str, Any]]


@dataclass(frozen=True)
class Side:
    """Its name, what it says of a batch, and the folder of its weights and tokenizer."""

    name: str
    say: Callable[[dict[str, Any]], Any]
    folder: Path

    def batches(self, texts: list[str], max_length: int, is_sorted: bool) -> tuple[Batches, list[int]]:
        """The texts as its own tokenizer cuts them, 32 at once, each batch as long as its longest, and the order they are in."""
        tokenizer: Any = AutoTokenizer.from_pretrained(self.folder)
        rows = tokenizer(texts, truncation=True, max_length=max_length)["input_ids"]
        order = sorted(range(len(rows)), key=lambda row: len(rows[row])) if is_sorted else list(range(len(rows)))
        found = []
        for start in range(0, len(order), 32):
            some = tokenizer.pad({"input_ids": [rows[row] for row in order[start : start + 32]]}, return_tensors="np")
            found.append({name: some[name].astype(np.int64) for name in ("input_ids", "attention_mask")})
        return found, order

    def logits(self, texts: list[str], max_length: int) -> Any:
        """What it says of each text, in their order."""
        batches, order = self.batches(texts, max_length, True)
        said = np.concatenate([np.asarray(self.say(batch)) for batch in batches])
        found = np.empty_like(said)
        found[order] = said
        return found

    def right(self, texts: Texts, labels: list[str], max_length: int) -> int:
        """How many texts it gets right."""
        said = self.logits(texts.texts, max_length).argmax(axis=1)
        return int((said == np.asarray([labels.index(str(label)) for label in texts.labels])).sum())

    @property
    def num_bytes(self) -> int:
        """Of the weights."""
        kinds = (".safetensors", ".onnx", ".bin")
        return sum(file.stat().st_size for file in self.folder.glob("*model*") if file.suffix in kinds)


def open_run(name: str, folder: Path, labels: list[str]) -> Side:
    """A finished run in eager PyTorch."""
    network = Pretrained(str(folder)).build(Head(labels)).eval()

    @torch.inference_mode()
    def say(inputs: dict[str, Any]) -> Any:
        return network(**{key: torch.from_numpy(part) for key, part in inputs.items()}).logits.numpy()

    return Side(name, say, Run(folder).student)


def open_folder(name: str, folder: Path) -> Side:
    """An export in its own runtime, on one thread."""
    run = open_export(folder, 1)
    return Side(name, lambda inputs: run(inputs)["logits"], folder)


def drawn(batch: int) -> dict[str, Any]:
    """A batch of words drawn at random, 32 tokens a text."""
    ids = np.random.default_rng(0).integers(100, 1000, (batch, 32)).astype(np.int64)
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def rates(sides: Sequence[Side], work: Sequence[Batches], rounds: int) -> list[float]:
    """Texts a second of the processor, of each side with its own batches: medians of rounds in which they take turns."""
    found: list[list[float]] = [[] for _ in sides]
    for side, batches in zip(sides, work, strict=True):
        side.say(batches[-1])
    for _ in range(rounds):
        for place, (side, batches) in enumerate(zip(sides, work, strict=True)):
            began = time.process_time()
            for batch in batches:
                side.say(batch)
            took = time.process_time() - began
            found[place].append(sum(len(batch["input_ids"]) for batch in batches) / took)
    return [statistics.median(one) for one in found]
