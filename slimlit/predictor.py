"""``predict_file``: what a student says of each row of a file, written window by window."""

import json
from pathlib import Path
from typing import Any, cast

from lightning.pytorch import LightningDataModule, Trainer

from slimlit import runs
from slimlit.callbacks.progress_bar import Progress
from slimlit.data import TextModule
from slimlit.disk import ended_by_sigterm
from slimlit.tasks.base import Task


def predict_file(trainer: Trainer, task: Task, data: LightningDataModule, output: Path, **settings: Any) -> int:
    """Write one JSON line for each row that is answered, in the order of the file; the number of lines.

    Rows are read, tokenised, sorted by length, answered and written a window at a time.

    Guarantees:
        - ``row`` is the number of the row in the file, from 0; empty and broken rows have numbers and no line;
        - memory does not grow with the file;
        - the file is there whole or not at all, after SIGTERM too, which ends it with status 143.

    Args:
        trainer: that asks the student.
        task: with the student.
        data: that reads the file.
        output: to write.
        settings: for the trainer's own ``predict``.
    """
    num_lines = 0
    with ended_by_sigterm(at_once=True), runs.writing(output) as file:
        for rows in data.windows() if isinstance(data, TextModule) else [None]:
            for bar in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(bar, Progress):
                    bar.num_answered = num_lines
            answers = cast(list[Any], trainer.predict(task, datamodule=data, **settings))
            lines = task.predictions(answers, data)
            for example in sorted(lines):
                row = example if rows is None else int(rows[example])
                file.write(json.dumps({"row": row, **lines[example]}, ensure_ascii=False) + "\n")
            num_lines += len(lines)
            settings["ckpt_path"] = None  # its weights are loaded by now
    return num_lines
