"""Times every export of a run side by side, in turns, and judges ONNX Runtime's own dynamic int8 by the same gate.

python -m experiments.export RUN
"""

import json
import sys
import tempfile
from pathlib import Path

import yaml

from slimlit.data import TextClassification
from slimlit.export.comparison import Comparison
from slimlit.export.folder import bytes_of
from slimlit.export.gate import judge
from slimlit.export.hub_folder import load_folder
from slimlit.export.latency import time_side_by_side
from slimlit.export.metric import score
from slimlit.export.reference import answers
from slimlit.export.runtimes import FACTS, Run, open_export, read_facts
from slimlit.export.sample import Sample, draw_sample, one_text

ROUNDS = 41


def of_onnx_runtime(whole: Path, folder: Path, per_channel: bool) -> Run:
    """The float32 export, made int8 by ``onnxruntime.quantization.quantize_dynamic``."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(whole / "model.onnx", folder / "model.onnx", weight_type=QuantType.QInt8, per_channel=per_channel)
    (folder / FACTS).write_text(json.dumps(read_facts(whole)))
    return open_export(folder)


def main(run: Path) -> None:
    """Print the table."""
    settings = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]
    network = load_folder(run / "export" / "hub", "sequence_classification")
    labels = [network.config.id2label[number] for number in range(network.config.num_labels)]
    names = ("train", "validation", "text_column", "label_column", "max_length")
    data = TextClassification(**{name: settings[name] for name in names}, tokenizer=str(run), labels=labels)
    data.setup("validate")
    sample: Sample = draw_sample(data.splits["validation"], "sequence_classification", 1024)
    ways: dict[str, Run] = {"PyTorch eager fp32": lambda inputs: answers(network, inputs)}
    sizes = {"PyTorch eager fp32": (run / "student" / "model.safetensors").stat().st_size}
    folders = [one for one in sorted((run / "export").iterdir()) if (one / FACTS).is_file() and one.name != "hub"]
    for folder in folders:
        ways[folder.name] = open_export(folder)
        sizes[folder.name] = sum(
            size for name, size in bytes_of(folder).items() if name.startswith(("model", "openvino"))
        )
    with tempfile.TemporaryDirectory() as scratch:
        for name, per_channel in (("ONNX Runtime's default int8", False), ("the same per channel", True)):
            place = Path(scratch) / name
            place.mkdir()
            ways[name] = of_onnx_runtime(run / "export" / "onnx", place, per_channel)
            sizes[name] = (place / "model.onnx").stat().st_size
        times = time_side_by_side(ways, one_text(sample, 32), ROUNDS)
    print("| | MB | least cosine | of one text | flips | accuracy | ms | CPU ms | gate |\n|" + " --- |" * 9)
    for name, way in ways.items():
        found = Comparison("sequence_classification")
        for inputs, truth in sample:
            found.add(inputs, truth, answers(network, inputs), way(inputs))
        found.finish()
        metric = score(found, labels)
        assert metric is not None
        cells = [name, f"{sizes[name] / 1e6:.2f}", f"{found.least_cosine:.5f}", f"{found.least_cosine_of_one:.4f}"]
        cells += [f"{found.num_flips} of {found.num_places}", f"{metric.exported:.4f}"]
        cells += [f"{times[name]['ms']:.2f}", f"{times[name]['cpu ms']:.2f}"]
        print(f"| {' | '.join([*cells, 'fails' if judge(found, metric, []) else 'passes'])} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
