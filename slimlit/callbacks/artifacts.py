"""Pictures and tables of a run: a file in its directory and, where W&B is on, an entry in its dashboard."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import WandbLogger

from slimlit import runs

Cell = str | int | float | None


def keep_picture(trainer: Trainer, file: str, svg: str) -> None:
    """Write an SVG under the run directory; on rank 0 only."""
    keep_text(trainer, file, svg)


def keep_table(trainer: Trainer, file: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Write a table as tab-separated values under the run directory, one line a row; on rank 0 only."""
    lines = ["\t".join(map(_cell, row)) for row in (columns, *rows)]
    keep_text(trainer, file, "\n".join(lines) + "\n")


def keep_json(trainer: Trainer, file: str, content: Any) -> None:
    """Write a JSON file under the run directory; on rank 0 only."""
    keep_text(trainer, file, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def keep_text(trainer: Trainer, file: str, text: str) -> None:
    """Write a text under the run directory, whole or not at all; on rank 0 only."""
    if trainer.is_global_zero:
        runs.write(Path(trainer.default_root_dir) / file, text)


def show(
    trainer: Trainer,
    pictures: Mapping[str, str] | None = None,
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Cell]]]] | None = None,
) -> None:
    """Log pictures (HTML or SVG, by key) and tables (columns and rows, by key) to W&B where a run logs there.

    All of them come in one row of the run's history, at the present step; on rank 0 only.
    """
    loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
    if not loggers or not trainer.is_global_zero:
        return
    import wandb

    for logger in loggers:
        shown: dict[str, Any] = {}
        for key, page in (pictures or {}).items():
            html = page if page.startswith("<!doctype") else f'<!doctype html><meta charset="utf-8">{page}'
            shown[key] = wandb.Html(html, inject=False, data_is_not_path=True)
        for key, (columns, rows) in (tables or {}).items():
            shown[key] = table = wandb.Table(columns=list(columns), allow_mixed_types=True)
            for row in rows:
                table.add_data(*row)
        logger.log_metrics(shown, step=trainer.global_step)


def log_now(trainer: Trainer, numbers: Mapping[str, float]) -> None:
    """Log numbers at once, in the row of the step just made, wherever a run logs; on rank 0 only."""
    if trainer.is_global_zero:
        for logger in trainer.loggers:
            logger.log_metrics(dict(numbers), step=max(0, trainer.global_step - 1))


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else " ".join(str(value).split())


def at_step(trainer: Trainer) -> str:
    """For a title: the step that training is at; nothing where a finished student is scored, whose trainer made none."""
    return f", step {trainer.global_step}" if trainer.global_step else ""
