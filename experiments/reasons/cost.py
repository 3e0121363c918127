"""``python -m experiments.reasons.cost``: CPU seconds of AttentionMaps and Explanations beside those of an epoch of training.

SST-2, a student of three layers of MiniLM, its teacher's answers cached. The middle step of some stands for all steps of
an epoch; the callbacks are timed where they work.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer, seed_everything

from slimlit.callbacks import AttentionMaps, Explanations, TeacherCache
from slimlit.callbacks.metrics_file import MetricsFile
from slimlit.data import TextClassification
from slimlit.losses import SoftTargets
from slimlit.models import Pretrained, Shrunk
from slimlit.tasks import SequenceClassification


class Clock(Callback):
    """CPU seconds of each training step."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.began = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        """A step begins."""
        self.began = time.process_time()

    def on_train_batch_end(self, *_: Any) -> None:
        """A step ends; this is the first of the callbacks, so no other is in it."""
        self.steps.append(time.process_time() - self.began)


def timed(callback: Callback, method: str) -> list[float]:
    """CPU seconds of each call of a callback's method, from now on."""
    seconds: list[float] = []
    whole = getattr(callback, method)

    def call(*arguments: Any, **named: Any) -> Any:
        """The method, timed."""
        began = time.process_time()
        found = whole(*arguments, **named)
        seconds.append(time.process_time() - began)
        return found

    setattr(callback, method, call)
    return seconds


def main() -> None:
    """Train some steps and print what an epoch and the callbacks take."""
    parser = argparse.ArgumentParser(prog="python -m experiments.reasons.cost", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder sst2")
    parser.add_argument("--teacher", required=True, help="a fine-tuned run")
    parser.add_argument("--steps", type=int, default=40)
    asked = parser.parse_args()
    files = {
        name: str(next(asked.data.glob(f"{file}.tsv*"))) for name, file in (("train", "train"), ("validation", "dev"))
    }
    data = TextClassification(**files, tokenizer="minilm", max_length=64, batch_size=32)
    task = SequenceClassification(
        Shrunk(layers=[1, 2, 3]), Pretrained(asked.teacher), SoftTargets(), train_words="seen"
    )
    clock, maps, reasons = Clock(), AttentionMaps(layers=[3], every_n_steps=asked.steps // 2), Explanations()
    spent = {"AttentionMaps": timed(maps, "_draw"), "Explanations": timed(reasons, "_explain")}
    seed_everything(0)
    with tempfile.TemporaryDirectory() as place:
        trainer = Trainer(
            default_root_dir=place,
            max_steps=asked.steps,
            limit_val_batches=1,
            val_check_interval=asked.steps // 2,
            callbacks=[clock, TeacherCache(), maps, reasons],
            precision="bf16-mixed",
            logger=[MetricsFile(Path(place) / "metrics.csv")],
            enable_checkpointing=False,
            enable_progress_bar=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        trainer.fit(task, datamodule=data)
    epoch = statistics.median(clock.steps) * len(data.train_dataloader())
    shares = {name: 100 * seconds[-1] / epoch for name, seconds in spent.items()}
    print(json.dumps({"epoch, CPU s": epoch, "each time, CPU s": spent, "percent of an epoch": shares}, indent=1))


if __name__ == "__main__":
    main()
