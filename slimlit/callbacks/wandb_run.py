"""``WandbRun``: the W&B logger of a run: everything inside its directory, nothing about the machine."""

import os
from typing import Any, Literal

os.environ["WANDB_ERROR_REPORTING"] = "false"  # read at import; else W&B sends its own metrics even of offline runs

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from slimlit.runs import Run

wandb.util.pd_available = (
    False  # it imports pandas (0.4 s) to ask of each value whether it is a data frame; none of ours is
)


class WandbRun(WandbLogger):
    """A W&B run with the name and id of ours, kept in ``wandb/`` of the run directory.

    Guarantees:
        - offline, nothing leaves the machine and no network is touched; in no mode are W&B's own error reports sent;
        - no host name, program, code, package list, console output or machine statistics are recorded.

    Args:
        run: where it is kept.
        mode: offline or online.
        config: the resolved config, shown at W&B.
    """

    def __init__(self, run: Run, mode: Literal["offline", "online"], config: dict[str, Any]) -> None:
        settings = wandb.Settings(
            mode=mode,
            host="",
            program="slimlit",
            console="off",
            save_code=False,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
            silent=mode == "offline",
        )
        super().__init__(
            name=run.name, id=run.name, project="slimlit", save_dir=run.folder.resolve(), settings=settings
        )
        self._wandb_init.update(config=config, resume="allow" if mode == "online" else None)
        self._wandb_init.pop("anonymous", None)  # W&B warns of it, whatever its value

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the W&B run, so that its files are complete."""
        if self._experiment is not None:
            self._experiment.finish(exit_code=0 if status == "success" else 1)
            self._experiment = None
