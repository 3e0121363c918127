"""``python -m experiments.speed.flags``: what each Lightning setting adds to a step, microseconds over a bare loop of a network that costs nothing."""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import TQDMProgressBar
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from experiments.speed.stopwatch import Stopwatch
from slimlit.callbacks.metrics_file import MetricsFile

OURS = {"enable_model_summary": False, "log_every_n_steps": 10, "enable_checkpointing": False}


@dataclass(frozen=True)
class Variant:
    """A trainer's settings and what the module does at each step; ``log_every`` 0 logs nothing."""

    settings: dict[str, Any] = field(default_factory=dict)
    log_every: int = 1
    log_options: dict[str, Any] = field(default_factory=lambda: {"prog_bar": True})
    has_schedule: bool = True
    refresh_rate: int | None = None
    num_idle_callbacks: int = 0
    has_metrics_file: bool = False


STOCK = Variant()
SLIMLIT = Variant(OURS, log_every=10, refresh_rate=100, num_idle_callbacks=4, has_metrics_file=True)
VARIANTS = {
    "stock": STOCK,
    "stock, enable_progress_bar=False": Variant({"enable_progress_bar": False}),
    "stock, tqdm bar every 100": Variant(refresh_rate=100),
    "stock, logger=False": Variant({"logger": False}),
    "stock, enable_checkpointing=False": Variant({"enable_checkpointing": False}),
    "stock, log_every_n_steps=1": Variant({"log_every_n_steps": 1}),
    "stock, log(on_epoch=True)": Variant(log_options={"prog_bar": True, "on_epoch": True}),
    "stock, log without prog_bar": Variant(log_options={}),
    "stock, log every 10th step": Variant(log_every=10),
    "stock, no log": Variant(log_every=0),
    "stock, no schedule": Variant(has_schedule=False),
    "stock, gradient_clip_val=1": Variant({"gradient_clip_val": 1.0}),
    "stock, bf16-mixed": Variant({"precision": "bf16-mixed"}),
    "stock, profiler=simple": Variant({"profiler": "simple"}),
    "stock, detect_anomaly": Variant({"detect_anomaly": True}),
    "stock, 10 idle callbacks": Variant(num_idle_callbacks=10),
    "barebones": Variant({"barebones": True}, log_every=0),
    "slimlit's settings": SLIMLIT,
    "slimlit's settings, gradient_clip_val=1": Variant(
        {**OURS, "gradient_clip_val": 1.0}, 10, refresh_rate=100, num_idle_callbacks=4, has_metrics_file=True
    ),
}


class Nothing(pl.LightningModule):
    """Eight numbers in, two out."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant, self.network = variant, nn.Linear(8, 2)

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        """A loss."""
        loss: Tensor = self.network(batch).square().mean()
        if self.variant.log_every and (self.global_step + 1) % self.variant.log_every == 0:
            self.log("train_loss", loss, **self.variant.log_options)
        return loss

    def configure_optimizers(self) -> Any:
        """Fused AdamW."""
        optimizer = torch.optim.AdamW(self.parameters(), fused=True)
        if not self.variant.has_schedule:
            return optimizer
        schedule = LambdaLR(optimizer, lambda step: 1.0 / (1 + step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Idle(pl.Callback):
    """A callback with a hook at each step's start and end."""

    def on_train_batch_start(self, *_: Any) -> None:
        """Nothing."""

    def on_train_batch_end(self, *_: Any) -> None:
        """Nothing."""


def batches(num_steps: int) -> DataLoader[Tensor]:
    """Ready tensors, one a step."""
    return DataLoader(list(torch.randn(num_steps, 4, 8)), batch_size=None)  # type: ignore[arg-type]


def bare(num_steps: int) -> None:
    """The same steps in a loop of one's own."""
    network = nn.Linear(8, 2)
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)
    schedule = LambdaLR(optimizer, lambda step: 1.0 / (1 + step))
    for batch in batches(num_steps):
        Stopwatch.mark()
        loss = network(batch).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()


def lit(variant: Variant, num_steps: int) -> None:
    """The steps in Lightning."""
    callbacks: list[pl.Callback] = [] if variant.settings.get("barebones") else [Stopwatch()]
    callbacks += [Idle() for _ in range(variant.num_idle_callbacks)]
    if variant.refresh_rate is not None:
        callbacks.append(TQDMProgressBar(refresh_rate=variant.refresh_rate))
    module = Nothing(variant)
    if not callbacks:  # barebones refuses callbacks, not hooks
        module.on_train_batch_start = lambda *_: Stopwatch.mark()  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory() as folder:
        settings = dict(variant.settings)
        if variant.has_metrics_file:
            settings["logger"] = MetricsFile(Path(folder) / "metrics.csv")
        if not settings.get("barebones"):
            settings = {"enable_model_summary": False, **settings, "callbacks": callbacks, "default_root_dir": folder}
        pl.Trainer(max_epochs=1, accelerator="cpu", **settings).fit(module, batches(num_steps))


def main() -> None:
    """Measure every variant in turn and print a table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed.flags", description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    torch.set_num_threads(1)
    contestants: dict[str, Callable[[int], None]] = {"bare": bare}
    contestants |= {name: lambda steps, one=one: lit(one, steps) for name, one in VARIANTS.items()}  # type: ignore[misc]
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contestants}
    for _ in range(arguments.rounds):
        for name, run in contestants.items():
            run(arguments.steps)
            steps = Stopwatch.steps()
            found[name].append((statistics.fmean(cpu for cpu, _ in steps), statistics.median(cpu for cpu, _ in steps)))
    print("| settings | mean CPU us a step | over bare | median | over bare |\n|---|---|---|---|---|")
    base = [statistics.median(column) for column in zip(*found["bare"], strict=True)]
    for name, rounds in found.items():
        mean, median = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"| {name} | {mean * 1e3:.0f} | {(mean - base[0]) * 1e3:.0f} | {median * 1e3:.0f} | {(median - base[1]) * 1e3:.0f} |"
        )


if __name__ == "__main__":
    main()
