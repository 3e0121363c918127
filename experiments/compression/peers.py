"""A compressed student's export beside the quantised teachers of others, in one run: ONNX Runtime's int8 and OpenVINO's.

    python -m experiments.compression.peers --teacher RUN --export FOLDER --scratch FOLDER

RUN is the teacher's; its own config names the test texts. All answers are held against the teacher's in eager float32; the student's
too, which was made to be right and not to say the same logits. ``--scratch`` keeps what is made of the teacher.
"""

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from experiments.compression.measure import Side, drawn, open_folder, open_run, rates
from experiments.export.__main__ import of_onnx_runtime
from slimlit.data.files import Columns, read_texts
from slimlit.export.comparison import Comparison
from slimlit.export.onnx_file import write_onnx
from slimlit.export.openvino_file import write_openvino
from slimlit.export.runtimes import FACTS
from slimlit.export.sample import Array, Sample
from slimlit.models import Head, Pretrained
from slimlit.runs import Run
from slimlit.tasks.memory import keep_freed_memory


def main() -> None:
    """Make what is missing, measure all in turns, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.compression.peers", description=__doc__)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--export", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = yaml.safe_load((asked.teacher / "config.yaml").read_text())["data"]["init_args"]
    columns = Columns(settings["text_column"], None, settings["label_column"])
    texts = read_texts(settings["test"], columns, "test")
    labels, longest = sorted({str(label) for label in texts.labels}), settings["max_length"]
    first = open_run("teacher, PyTorch eager float32", asked.teacher, labels)
    train = read_texts(settings["train"], columns, "train").texts[:256]
    sides = [first, *others(asked.teacher, labels, asked.scratch, first.batches(train, longest, False)[0])]
    sides.append(open_folder("our student, its export", asked.export))
    work = [side.batches(texts.texts, longest, True)[0] for side in sides]
    one, many = rates(sides, [[drawn(1)] * 8 for _ in sides], 2 * asked.rounds), rates(sides, work, asked.rounds)
    said = [side.logits(texts.texts, longest) for side in sides]
    numbers = np.asarray([labels.index(str(label)) for label in texts.labels])
    print(
        "| | MB | least cosine | flips | accuracy | CPU ms, 1 x 32 | texts a CPU second |\n|---|---|---|---|---|---|---|"
    )
    for place, side in enumerate(sides):
        cosine, flips = apart(said[0], said[place])
        right = (said[place].argmax(axis=1) == numbers).mean()
        cells = [f"{side.num_bytes / 1e6:.2f}", f"{cosine:.5f}", f"{flips} of {len(texts.texts)}", f"{right:.4f}"]
        print(f"| {side.name} | {' | '.join(cells)} | {1000 / one[place]:.2f} | {many[place]:.0f} |")


def others(teacher: Path, labels: list[str], scratch: Path, some: list[dict[str, Any]]) -> list[Side]:
    """The teacher as it is in both runtimes, in their int8, and in ours."""
    network = Pretrained(str(teacher)).build(Head(labels)).eval()
    ids = np.full((2, 9), 5)
    sample = Sample([{"input_ids": ids, "attention_mask": np.ones_like(ids)}], [np.zeros(2, np.int64)])
    makers: dict[str, tuple[str, Callable[[Path], Any]]] = {
        "ONNX Runtime": ("onnx", lambda folder: write_onnx(network, sample, folder, False)),
        "ONNX Runtime, its int8": ("onnx", lambda folder: of_onnx_runtime(scratch / "ONNX Runtime", folder, False)),
        "ONNX Runtime, its int8 per channel": ("onnx", lambda folder: of_onnx_runtime(scratch / "ONNX Runtime", folder, True)),
        "ONNX Runtime, our int8": ("onnx", lambda folder: write_onnx(network, sample, folder, True)),
        "OpenVINO": ("openvino", lambda folder: write_openvino(network, sample, folder, False)),
        "OpenVINO, NNCF's int8 weights": ("openvino", lambda folder: write_openvino(network, sample, folder, True)),
        "OpenVINO, NNCF's int8": ("openvino", lambda folder: of_nncf(scratch / "OpenVINO", folder, some)),
    }  # fmt: skip
    made = []
    for name, (target, make) in makers.items():
        folder = scratch / name
        if not folder.is_dir():
            folder.mkdir(parents=True)
            facts = {"target": target, "kind": "sequence_classification", "inputs": sample.names, "labels": labels}
            (folder / FACTS).write_text(json.dumps(facts))
            make(folder)
            for file in Run(teacher).student.glob("tokenizer*"):
                shutil.copy(file, folder)
        made.append(open_folder(f"teacher, {name}", folder))
    return made


def of_nncf(whole: Path, folder: Path, some: list[dict[str, Any]]) -> None:
    """OpenVINO's float32, made int8 by ``nncf.quantize`` on some batches of training texts: weights and what they read."""
    import nncf
    import openvino

    model = openvino.Core().read_model(whole / "openvino_model.xml")
    small = nncf.quantize(model, nncf.Dataset(some), model_type=nncf.ModelType.TRANSFORMER)
    openvino.save_model(small, str(folder / "openvino_model.xml"), compress_to_fp16=False)


def apart(said: Array, other: Array) -> tuple[float, int]:
    """The least cosine of 256 numbers in a row, as ``slimlit export`` takes it, and how many answers differ."""
    found = Comparison("sequence_classification")
    for start in range(0, len(said), 32):
        rows = slice(start, start + 32)
        found.add({}, np.full(len(said[rows]), -1), {"logits": said[rows]}, {"logits": other[rows]})
    found.finish()
    return found.least_cosine, found.num_flips


if __name__ == "__main__":
    main()
