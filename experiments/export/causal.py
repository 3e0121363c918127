"""A causal language model in float32, bfloat16, ONNX, OpenVINO, GGUF and, where they are asked for, ExecuTorch's files: bytes, perplexity, and tokens a second, in turns.

    python -m experiments.export.causal --model smollm2 --text FOLDER/wikitext2/test.txt.gz --scratch FOLDER

``--model`` is a run, a bundled name or a folder; ``--text`` a gzipped text, or dialogues as JSON lines of ``turns``, whose last replies
are asked; ``--scratch`` keeps what is made of it. One thread; processor time.
"""

import argparse
import gzip
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from slimlit.data import Dialogues
from slimlit.export.comparison import Comparison
from slimlit.export.generator_file import write_generator
from slimlit.export.gguf_file import read_gguf, write_gguf
from slimlit.export.openvino_file import write_openvino_writer
from slimlit.export.openvino_writing import OpenVINOWriter
from slimlit.export.phone_writer_file import write_phone_writer
from slimlit.export.phone_writing import PhoneWriter
from slimlit.export.reference import answers
from slimlit.export.runtimes import hold_executorch
from slimlit.export.sample import Array, Inputs, Sample
from slimlit.export.writing import Writer
from slimlit.models import Head, Pretrained, PreTrainedModel
from slimlit.models.sources import find
from slimlit.models.tokenizers import load_tokenizer

WINDOW, PROMPT, NEW = 128, 32, 32


@dataclass(frozen=True)
class Form:
    """One form of the model: its bytes, what it says of texts, and how it writes on; None where nothing here writes with it."""

    name: str
    num_bytes: int
    say: Callable[[Inputs], dict[str, Array]]
    write: Callable[[list[int], int], object] | None


def main() -> None:
    """Make what is missing, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.export.causal", description=__doc__)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--windows", type=int, default=16, help=f"of {WINDOW} tokens; or so many dialogues")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--phone", action="store_true", help="PyTorch float32 and ExecuTorch alone, which needs slimlit[executorch]"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    read = read_dialogues if asked.text.suffix == ".jsonl" else read_windows
    sample = read(asked.model, asked.text, asked.windows)
    forms = (phone_forms if asked.phone else make_forms)(asked.model, sample, asked.scratch)
    prompt = sample.batches[0]["input_ids"][0, :PROMPT].tolist()
    rates = clock([form for form in forms if form.write], prompt, asked.rounds)
    network = Pretrained(asked.model).build(Head([], "causal_lm")).eval()
    print("| | MB | perplexity | least cosine | other words | tokens a CPU second |\n|---|---|---|---|---|---|")
    for form in forms:
        found = Comparison("causal_lm")
        for inputs, labels in sample:
            found.add(inputs, labels, answers(network, inputs), form.say(inputs))
        found.finish()
        perplexity = math.exp(float(np.concatenate([theirs for _, theirs in found.nats]).mean()))
        rate = f"{rates[form.name]:.1f}" if form.name in rates else "not measured"
        cells = [f"{form.num_bytes / 1e6:.1f}", f"{perplexity:.2f}", f"{found.least_cosine:.5f}"]
        print(f"| {form.name} | {' | '.join(cells)} | {found.num_flips} of {found.num_places} | {rate} |", flush=True)


def read_windows(model: str, text: Path, number: int) -> Sample:
    """The first tokens of a text, in windows; each but the first of a window is asked."""
    with gzip.open(text, "rt", encoding="utf-8") as file:
        words = load_tokenizer(find(model))(file.read(20 * WINDOW * number))["input_ids"]
    batches, labels = [], []
    for start in range(0, WINDOW * number, WINDOW):
        ids = np.asarray([words[start : start + WINDOW]], dtype=np.int64)
        batches.append({"input_ids": ids, "attention_mask": np.ones_like(ids)})
        labels.append(np.concatenate([ids[:, 1:], np.full((1, 1), -100)], axis=1))
    return Sample(batches, labels)


def read_dialogues(model: str, text: Path, number: int) -> Sample:
    """The first dialogues of a file; the words of their last replies are asked."""
    data = Dialogues(str(text), model, validation=str(text), replies="last", max_length=WINDOW)
    data.setup("validate")
    examples = [data.splits["validation"].batch([row]) for row in range(number)]
    names = ("input_ids", "attention_mask")
    return Sample(
        [{name: one[name].numpy() for name in names} for one in examples], [one["labels"].numpy() for one in examples]
    )


def make_forms(model: str, sample: Sample, scratch: Path) -> list[Form]:
    """The network in PyTorch and in its files; files that are there are not made again."""
    network = Pretrained(model).build(Head([], "causal_lm")).eval()
    numbers = sum(weight.numel() for weight in network.parameters())
    half = Pretrained(model).build(Head([], "causal_lm")).to(torch.bfloat16).eval()
    forms = [of_torch("PyTorch float32", network, 4 * numbers), of_torch("PyTorch bfloat16", half, 2 * numbers)]
    for name, is_int8 in (("ONNX float32", False), ("ONNX int8", True)):
        folder = scratch / name
        if not folder.is_dir():
            folder.mkdir(parents=True)
            write_generator(network, sample, folder, is_int8)
        writer = Writer(folder)
        size = (folder / "model.onnx").stat().st_size
        forms.append(Form(name, size, writer, lambda prompt, new, writer=writer: writer.write(prompt, new, [])))  # type: ignore[misc]
    for name, is_int8 in (("OpenVINO float32", False), ("OpenVINO int8", True)) if find_spec("openvino") else ():
        folder = scratch / name
        if not folder.is_dir():
            folder.mkdir(parents=True)
            write_openvino_writer(network, "causal_lm", sample, folder, is_int8)
        opened = OpenVINOWriter(folder)
        size = (folder / "openvino_model.bin").stat().st_size
        forms.append(Form(name, size, opened, lambda prompt, new, opened=opened: opened.write(prompt, new, [])))  # type: ignore[misc]
    folder = scratch / "GGUF"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        write_gguf(network, Path(find(model)), folder, is_int8=True)
    read = read_gguf(folder)
    size = (folder / "model.gguf").stat().st_size
    return [*forms, Form("GGUF Q8_0, read by slimlit", size, lambda inputs: answers(read, inputs), None)]


def phone_forms(model: str, sample: Sample, scratch: Path) -> list[Form]:
    """The network in PyTorch and in ExecuTorch's files; files that are there are not made again."""
    network = Pretrained(model).build(Head([], "causal_lm")).eval()
    forms = [of_torch("PyTorch float32", network, 4 * sum(weight.numel() for weight in network.parameters()))]
    hold_executorch(1)
    for name, is_int8 in (("ExecuTorch float32", False), ("ExecuTorch int8", True)):
        folder = scratch / name
        if not (folder / "model.pte").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            write_phone_writer(network, folder, is_int8, WINDOW)
        writer = PhoneWriter(folder)
        size = (folder / "model.pte").stat().st_size
        forms.append(Form(name, size, writer, lambda prompt, new, writer=writer: writer.write(prompt, new, [])))  # type: ignore[misc]
    return forms


def of_torch(name: str, network: PreTrainedModel, num_bytes: int) -> Form:
    """The network itself."""

    @torch.inference_mode()
    def write(prompt: list[int], new: int) -> object:
        ids = torch.tensor([prompt])
        told = {"min_new_tokens": new, "max_new_tokens": new, "do_sample": False, "num_beams": 1, "pad_token_id": 0}
        return network.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **told)

    return Form(name, num_bytes, lambda inputs: answers(network, inputs), write)


def clock(forms: list[Form], prompt: list[int], rounds: int) -> dict[str, float]:
    """Tokens a second of the processor after the first, medians of rounds in which the forms take turns."""
    found: dict[str, list[float]] = {form.name: [] for form in forms}
    for _ in range(rounds):
        for form in forms:
            assert form.write is not None
            took = []
            for new in (1, NEW + 1):
                began = time.process_time()
                form.write(prompt, new)
                took.append(time.process_time() - began)
            found[form.name].append(NEW / (took[1] - took[0]))
    return {name: statistics.median(rates) for name, rates in found.items()}


if __name__ == "__main__":
    main()
