"""``Progress``: Lightning's progress bar, less often redrawn where nobody watches."""

import sys
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm


class Progress(TQDMProgressBar):
    """A bar for every loop; redrawn every 10 batches on a terminal and every 100 in a file."""

    def __init__(self) -> None:
        super().__init__(refresh_rate=10 if sys.stderr.isatty() else 100)
        self.num_answered = 0

    def init_predict_tqdm(self) -> Tqdm:
        """A bar for each window of a file, that says how many texts before it are answered."""
        bar = super().init_predict_tqdm()
        bar.leave = False
        if self.num_answered:
            bar.set_description(f"{bar.desc.rstrip(': ')}, {self.num_answered:,} texts before", refresh=False)
        return bar

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The metrics beside the bar; the run's name, which Lightning adds as ``v_num``, is known."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics
