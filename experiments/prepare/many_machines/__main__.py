"""``python -m experiments.prepare.many_machines``: a recipe of ``slimlit prepare`` on an executor of datatrove."""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import jsonargparse
import yaml
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

from experiments.prepare.many_machines.steps import Join, Judge, Kept, Sketch, Tidy, as_record
from slimlit.text.prepare import Preparation
from slimlit.text.prepare.workplace import Workplace

HERE = Path(__file__).parent


def main() -> int:
    """Read and sketch each file in a task of its own, join in one, write in as many again."""
    parser = argparse.ArgumentParser(prog="python -m experiments.prepare.many_machines", description=__doc__)
    parser.add_argument("--config", required=True, help="a recipe, as slimlit prepare takes it")
    parser.add_argument("--sources", required=True, type=Path, help="a folder of JSON lines, one task a file")
    parser.add_argument("--output", required=True, type=Path, help="a folder that all machines see")
    parser.add_argument("--executor", type=Path, default=HERE / "local.yaml")
    asked = parser.parse_args()
    recipe = jsonargparse.ArgumentParser(exit_on_error=False)
    recipe.add_argument("--config", action="config")
    recipe.add_class_arguments(Preparation, sub_configs=False)
    words = ["--config", asked.config, "--sources", str(asked.sources), "--output", str(asked.output)]
    chosen = vars(recipe.instantiate(recipe.parse_args(words)))
    settings = Preparation(**{name: value for name, value in chosen.items() if name != "config"})
    if settings.tokenizer is not None or settings.shards is not None:
        raise ValueError("tokenizer and shards are made by slimlit prepare, on one machine")
    executor = yaml.safe_load(asked.executor.read_text(encoding="utf-8"))
    run(settings, asked.sources, executor)
    return 0


def run(settings: Preparation, sources: Path, executor: dict[str, Any]) -> None:
    """The three rounds of tasks, each after the one before; tasks that are done are not done again."""
    workplace = Workplace(Path(settings.output).absolute())
    module, _, name = executor["class_path"].rpartition(".")
    make = getattr(importlib.import_module(module), name)
    tasks = len(list(sources.glob("*.jsonl")))
    reader = JsonlReader(
        str(sources), glob_pattern="*.jsonl", text_key=settings.text_column, id_key="", add_file_path=False
    )
    writer = JsonlWriter(str(workplace.output), "${part}/part-${rank}.jsonl", compression=None, adapter=as_record)
    rounds: list[tuple[int, list[Any]]] = [
        (tasks, [reader, Tidy(), Judge(settings.rules), Sketch(workplace, settings)]),
        (1, [Join(workplace, settings, tasks)]),
        (tasks, [Kept(workplace, settings), writer]),
    ]
    before = None
    for number, (num_tasks, pipeline) in enumerate(rounds):
        logs = str(workplace.folder / f"logs{number}")
        before = make(pipeline, tasks=num_tasks, logging_dir=logs, depends=before, **executor.get("init_args", {}))
    assert before is not None
    before.run()


if __name__ == "__main__":
    sys.exit(main())
