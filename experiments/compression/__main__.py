"""Compresses a finished classifier step by step, exports it, measures every run and export on the test texts, and prints the table.

    python -m experiments.compression --data banking77 --teacher RUN --student RUN --runs FOLDER

``--data`` names the results; the texts are those of the teacher's own config. What is there already is not made again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from experiments.compression.measure import Side, drawn, open_folder, open_run, rates
from slimlit.bench.contestants import Contestant
from slimlit.bench.picture import draw_bench
from slimlit.bench.result import Measured, Setting
from slimlit.data.files import Columns, read_texts
from slimlit.tasks.memory import keep_freed_memory

HERE = Path(__file__).parent
HALF = ["--heads", "0.5", "--feed_forward", "0.5"]
SLIM = ["--vocabulary", "seen", "--heads", "0.5", "--feed_forward", "0.75"]
TRAINED = ["--epochs", "5"]
STEPS = {  # a run: the run it is made of, and how
    "words": ("student", ["--vocabulary", "seen"]),
    "pruned": ("student", [*HALF, *TRAINED]),
    "slim": ("student", [*SLIM, *TRAINED]),
    "slim-dynamic-int8": ("slim", ["--weights", "dynamic-int8"]),
    "slim-int4": ("slim", ["--weights", "int4"]),
}
EXPORTED = ("teacher", "student", "pruned", "slim")
MANY = 256  # test texts that are read again and again, to time it


def main() -> None:
    """Make what is missing, measure, and report."""
    parser = argparse.ArgumentParser(prog="python -m experiments.compression", description=__doc__)
    parser.add_argument("--data", required=True, help="name of the results: sst2, banking77, hotel, ...")
    parser.add_argument("--teacher", type=Path, required=True, help="the run that taught the student")
    parser.add_argument("--student", type=Path, required=True, help="the run to compress")
    parser.add_argument("--runs", type=Path, default=Path("runs/compression"), help="where runs are kept")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    folders = {"teacher": asked.teacher, "student": asked.student}
    for name, (source, options) in STEPS.items():
        folders[name] = asked.runs / name
        if not (folders[name] / "student").is_dir():
            to = ["--to", str(folders[name].resolve()), "--teacher", str(asked.teacher)]
            call(["compress", "--run", str(folders[source]), *to, *options, "--wandb=disabled"])
    exports = {name: folders[name] / "export" / "onnx-int8" for name in EXPORTED}
    for name, folder in exports.items():
        if not folder.is_dir():
            call(["export", "--run", str(folders[name]), "--to", "onnx", "--precision", "int8"])
    results = measure(asked.teacher, folders, exports, asked.rounds)
    (HERE / f"results_{asked.data}.json").write_text(json.dumps(results, indent=1) + "\n")
    (HERE / f"{asked.data}.svg").write_text(draw(asked.data, results))
    print(table(results))


def call(command: list[str]) -> None:
    """Run one verb."""
    if subprocess.run([sys.executable, "-m", "slimlit", *command]).returncode:
        sys.exit(f"failed: slimlit {' '.join(command)}")


def measure(teacher: Path, folders: dict[str, Path], exports: dict[str, Path], rounds: int) -> list[dict[str, Any]]:
    """Test accuracy, bytes and speeds of each run and each export, in one thread, in turns."""
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = yaml.safe_load((teacher / "config.yaml").read_text())["data"]["init_args"]
    columns = Columns(settings["text_column"], settings["pair_column"], settings["label_column"])
    texts = read_texts(settings["test"], columns, "test")
    labels = sorted({str(label) for label in texts.labels})
    sides: list[Side] = [open_run(name, folder, labels) for name, folder in folders.items()]
    sides += [open_folder(f"{name}, ONNX int8", folder) for name, folder in exports.items()]
    right = [side.right(texts, labels, settings["max_length"]) for side in sides]
    one = rates(sides, [[drawn(1)] * 8 for _ in sides], 2 * rounds)
    some = texts.texts[:MANY]
    many = rates(sides, [side.batches(some, settings["max_length"], True)[0] for side in sides], rounds)
    return [
        {
            "name": side.name,
            "right": right[place],
            "texts": len(texts.texts),
            "bytes": side.num_bytes,
            "CPU ms, 1 x 32": round(1000 / one[place], 3),
            "texts a CPU second": round(many[place], 1),
        }
        for place, side in enumerate(sides)
    ]


def draw(title: str, results: list[dict[str, Any]]) -> str:
    """Accuracy against size and latency."""
    points = []
    for one in results:
        who = Contestant(one["name"], "torch", "", "", "sequence_classification", [], one["bytes"])
        seconds = one["CPU ms, 1 x 32"] / 1000
        points.append(Measured(who, one["right"], one["texts"], times={Setting(1, 32, 1): [(seconds, seconds)]}))
    caption = f"{results[0]['texts']} test texts; weights alone; CPU time of one thread, medians of turns."
    return draw_bench(f"{title}: accuracy against size and latency", points, caption)


def table(results: list[dict[str, Any]]) -> str:
    """The table as Markdown; shares are of the first row."""
    lines = [
        "| | accuracy | share | MB | share | CPU ms, 1 x 32 | faster | texts a CPU second | more |",
        "|---" * 9 + "|",
    ]
    first = results[0]
    for one in results:
        cells = [
            f"{one['right'] / one['texts']:.4f}",
            f"{one['right'] / first['right']:.3f}",
            f"{one['bytes'] / 1e6:.2f}",
            f"1/{first['bytes'] / one['bytes']:.1f}",
            f"{one['CPU ms, 1 x 32']:.2f}",
            f"x {first['CPU ms, 1 x 32'] / one['CPU ms, 1 x 32']:.1f}",
            f"{one['texts a CPU second']:.0f}",
            f"x {one['texts a CPU second'] / first['texts a CPU second']:.1f}",
        ]
        lines.append(f"| {one['name']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
