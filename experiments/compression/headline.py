"""The headline row: a compressed student's int8 export in its own runtime against the teacher in eager float32.

    python -m experiments.compression.headline --teacher RUN --export FOLDER --test FILE

RUN is the teacher's; FOLDER what ``slimlit export --to onnx --precision int8`` wrote of the compressed student; FILE has test texts
as ``text`` and ``label``. The two take turns; processor time of one thread, medians of the rounds. Each reads the texts as its own
tokenizer cuts them.
"""

import argparse
from pathlib import Path

import torch

from experiments.compression.measure import drawn, open_folder, open_run, rates
from slimlit.data.files import Columns, read_texts
from slimlit.tasks.memory import keep_freed_memory


def main() -> None:
    """Score both on the test texts, time both, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.compression.headline", description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--max_length", type=int, default=64, help="tokens of a text")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    texts = read_texts(asked.test, Columns(), "test")
    labels = sorted({str(label) for label in texts.labels})
    sides = [
        open_run("teacher, PyTorch eager float32", asked.teacher, labels),
        open_folder("student, its export", asked.export),
    ]
    right = [side.right(texts, labels, asked.max_length) for side in sides]
    work = {
        "one of 32 tokens": [[drawn(1)] * 6 for _ in sides],
        "32 of 32 tokens": [[drawn(32)] * 3 for _ in sides],
        "the texts, 32 at once": [side.batches(texts.texts, asked.max_length, False)[0] for side in sides],
        "the texts, 32 of like length": [side.batches(texts.texts, asked.max_length, True)[0] for side in sides],
    }
    speeds = {name: rates(sides, batches, asked.rounds) for name, batches in work.items()}
    print(f"| | right of {len(texts.texts)} | MB | {' | '.join(work)} |\n{'|---' * 7}|")
    for place, side in enumerate(sides):
        share = right[place] / len(texts.texts)
        cells = [f"{share:.4f}", f"{side.num_bytes / 1e6:.2f}", *(f"{speed[place]:.0f}" for speed in speeds.values())]
        print(f"| {side.name} | {' | '.join(cells)} |")
    ratios = [f"{right[1] / right[0]:.4f}", f"1/{sides[0].num_bytes / sides[1].num_bytes:.1f}"]
    print(f"| share | {' | '.join([*ratios, *(f'x {fast / slow:.1f}' for slow, fast in speeds.values())])} |")


if __name__ == "__main__":
    main()
