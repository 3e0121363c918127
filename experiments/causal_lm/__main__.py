"""``python -m experiments.causal_lm TEXTS``: SmolLM2 and students of half its layers on WikiText-2, each loss left out in turn.

TEXTS is a folder with ``train.txt.gz`` and ``test.txt.gz`` of WikiText-2. A line of results is written as each is known.
"""

import argparse
import gzip
import json
import logging
import time
import warnings
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer, seed_everything

from slimlit.compress.choosing import Shares, choose
from slimlit.compress.importance import by_texts
from slimlit.data import LanguageModelling
from slimlit.data.documents import read_documents
from slimlit.losses import HiddenStates, Loss, VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import Head, Network, Pretrained, Shrunk
from slimlit.tasks import CausalLM
from slimlit.tasks.optimizers import AdamW

EVERY_OTHER = [*range(1, 29, 2), 30]  # 15 of 30, and the last among them
WEIGHTS = {"hard": 0.5, "soft": 0.5, "hidden": 0.01}
ARMS = {
    "untrained": [],
    "no teacher": ["hard"],
    "all losses": ["hard", "soft", "hidden"],
    "without hard": ["soft", "hidden"],
    "without soft": ["hard", "hidden"],
    "without hidden": ["hard", "soft"],
}


def loss_of(parts: list[str], layers: list[int]) -> Loss:
    """The weighted sum of those losses."""
    known: dict[str, Loss] = {
        "hard": VocabularyLabels(),
        "soft": VocabularyTargets(),
        "hidden": HiddenStates([(8, layers[7])]),  # the student's eighth layer began as that one of the teacher's
    }
    return WeightedSum({name: known[name] for name in parts}, {name: WEIGHTS[name] for name in parts})


def first_articles(source: Path, num_bytes: int, target: Path) -> None:
    """Write the first articles that have so many bytes together, one a line of JSON."""
    texts = read_documents(str(source), "train", "headings").texts
    ends = list(accumulate(len(text.encode()) for text in texts))
    count = next((number + 1 for number, end in enumerate(ends) if end >= num_bytes), len(texts))
    cut = texts[:count]
    cut[-1] = cut[-1].encode()[: num_bytes - (ends[count - 1] - len(cut[-1].encode()))].decode(errors="ignore")
    with gzip.open(target, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in cut)


def main() -> None:
    """Run every arm and write what each scores."""
    parser = argparse.ArgumentParser(prog="python -m experiments.causal_lm")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rows", type=int, default=2, help="of a batch")
    parser.add_argument("--tokens", type=int, default=32, help="of a row")
    parser.add_argument("--test_bytes", type=int, default=4_000)
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--precision", default="bf16-mixed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", choices=["teacher", *ARMS], default=["teacher", *ARMS])
    parser.add_argument("--half", choices=["moving", "every-other"], default="moving", help="layers of a student")
    parser.add_argument("--work", type=Path, default=Path("runs/causal_lm"))
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    asked.work.mkdir(parents=True, exist_ok=True)
    for name, size in {"train": int(asked.steps * asked.rows * asked.tokens * 4.6), "test": asked.test_bytes}.items():
        if not (asked.work / f"{name}.jsonl.gz").exists():
            first_articles(asked.texts / f"{name}.txt.gz", size, asked.work / f"{name}.jsonl.gz")
    teacher = Pretrained("smollm2")
    layers = EVERY_OTHER if asked.half == "every-other" else moving_half(asked, teacher)
    print("layers of the students:", layers, flush=True)
    if "teacher" in asked.arms:
        report(asked, "teacher", scores(asked, CausalLM(teacher)))
    for name, parts in ((name, parts) for name, parts in ARMS.items() if name in asked.arms):
        started, cpu = time.perf_counter(), time.process_time()
        found = {"layers": layers, **scores(asked, student(asked, parts, teacher, layers), parts)}
        spent = {"seconds": time.perf_counter() - started, "cpu_seconds": time.process_time() - cpu}
        report(asked, name, {**found, **spent})


def moving_half(asked: argparse.Namespace, teacher: Network) -> list[int]:
    """The layers that move the teacher's states most on 32 rows of the training text, as ``slimlit compress`` chooses them."""
    data = data_of(asked)
    data.prepare_data()
    data.setup("fit")
    network = teacher.build(Head(kind="causal_lm"))
    batches = list(islice(data.train_dataloader(), -(-32 // asked.rows)))
    found = by_texts(network, batches, lambda batch: network(batch["input_ids"]).logits.mean((1, 2)), "activation")
    return choose(network.config, found, Shares(layers=0.5)).layers["layers"]


def student(asked: argparse.Namespace, parts: list[str], teacher: Network, layers: list[int]) -> CausalLM:
    """The student, to be trained with those losses; untrained where there are none."""
    loss = loss_of(parts, layers) if parts else None
    return CausalLM(Shrunk(layers=layers), teacher, loss, lambda weights: AdamW(weights, lr=asked.lr), warmup=0.2)


def data_of(asked: argparse.Namespace) -> LanguageModelling:
    """The articles, in rows."""
    return LanguageModelling(
        str(asked.work / "train.jsonl.gz"),
        "smollm2",
        validation=str(asked.work / "test.jsonl.gz"),  # never looked at
        test=str(asked.work / "test.jsonl.gz"),
        max_length=asked.tokens,
        batch_size=asked.rows,
    )


def scores(asked: argparse.Namespace, task: CausalLM, parts: list[str] | None = None) -> dict[str, Any]:
    """Train, where losses are named, and test."""
    seed_everything(asked.seed, verbose=False)
    data = data_of(asked)
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    trainer = Trainer(
        max_steps=asked.steps,
        limit_val_batches=0,
        precision=asked.precision,
        default_root_dir=asked.work,
        use_distributed_sampler=False,
        **quiet,
    )
    if parts:
        trainer.fit(task, datamodule=data)
    (found,) = trainer.test(task, datamodule=data, verbose=False)
    return {**found, "train": data.report.get("train"), "test": data.report["test"]}


def report(asked: argparse.Namespace, name: str, found: dict[str, Any]) -> None:
    """Add a line to the results."""
    with (asked.work / "results.jsonl").open("a") as file:
        file.write(json.dumps({"arm": name, "seed": asked.seed, **found}) + "\n")
    known = {key.removeprefix("test/"): round(value, 3) for key, value in found.items() if isinstance(value, float)}
    print(name, known, flush=True)


if __name__ == "__main__":
    main()
