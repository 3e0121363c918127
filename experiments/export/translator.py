"""A translator in PyTorch and in each of its exports, side by side: bytes, BLEU of greedy translations, sentences a second.

    python -m experiments.export.translator RUN --text FOLDER/multi30k/test2016.tsv

``RUN`` is a finished run whose exports are in ``RUN/export``; ``--text`` a table whose first column it reads and whose second is the
reference. One thread; processor time; one sentence at a time, each by every form in turn.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import sacrebleu
import torch
from transformers import AutoTokenizer

from slimlit.export.folder import bytes_of
from slimlit.export.hub_folder import load_folder
from slimlit.export.rules import stops_of
from slimlit.export.runtimes import FACTS, open_export
from slimlit.export.writing import Writes
from slimlit.models import PreTrainedModel

_WEIGHTS = (".safetensors", ".onnx", ".bin", ".xml")
Write = Callable[[list[int], int], list[int]]


@dataclass
class Form:
    """One form of the translator: its bytes, how it writes, and what it wrote and how long that took."""

    name: str
    num_bytes: int
    write: Write
    least_cosine: float
    written: list[list[int]] = field(default_factory=list)
    seconds: float = 0.0


def main() -> None:
    """Translate with every form in turn, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.export.translator", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--number", type=int, default=200, help="of sentences")
    parser.add_argument("--most", type=int, default=64, help="tokens of a translation")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    network = load_folder(asked.run / "student", "seq2seq_lm")
    tokenizer = AutoTokenizer.from_pretrained(asked.run / "student")
    forms = [Form("PyTorch float32", _weights_of(asked.run / "student"), of_torch(network), 1.0)]
    forms += [of_export(facts.parent, stops_of(network)) for facts in sorted(asked.run.glob(f"export/*/{FACTS}")) if facts.parent.name != "hub"]  # fmt: skip
    with asked.text.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1 : asked.number + 1]
    texts = tokenizer([row[0] for row in rows], truncation=True, max_length=64)["input_ids"]
    for form in forms:
        form.write(texts[0], asked.most)
    for number, ids in enumerate(texts):
        start = number % len(forms)
        for form in forms[start:] + forms[:start]:
            began = time.process_time()
            form.written.append(form.write(ids, asked.most))
            form.seconds += time.process_time() - began
    print("| | MB | least cosine | other translations | BLEU | sentences a CPU second | tokens a CPU second |\n|" + " ---: |" * 7)  # fmt: skip
    for form in forms:
        said = [" ".join(one.split()) for one in tokenizer.batch_decode(form.written, skip_special_tokens=True)]
        bleu = sacrebleu.corpus_bleu(said, [[row[1] for row in rows]]).score
        others = sum(ours != theirs for ours, theirs in zip(forms[0].written, form.written, strict=True))
        cells = [f"{form.num_bytes / 1e6:.2f}", f"{form.least_cosine:.5f}", f"{others} of {len(rows)}", f"{bleu:.2f}"]
        cells += [f"{len(rows) / form.seconds:.1f}", f"{sum(map(len, form.written)) / form.seconds:.0f}"]
        print(f"| {form.name} | {' | '.join(cells)} |", flush=True)


def of_torch(network: PreTrainedModel) -> Write:
    """The network itself."""

    @torch.inference_mode()
    def write(ids: list[int], most: int) -> list[int]:
        given = torch.tensor([ids])
        told = {"max_new_tokens": most, "do_sample": False, "num_beams": 1}
        found: list[int] = network.generate(input_ids=given, attention_mask=torch.ones_like(given), **told)[0, 1:].tolist()  # fmt: skip
        return found

    return write


def of_export(folder: Path, stops: list[int]) -> Form:
    """An exported folder, in its own runtime."""
    run = open_export(folder)
    assert isinstance(run, Writes)
    cosine = json.loads((folder / "card.json").read_text())["measures"]["least cosine"]
    return Form(folder.name, _weights_of(folder), lambda ids, most: run.write(ids, most, stops), cosine)


def _weights_of(folder: Path) -> int:
    return sum(size for name, size in bytes_of(folder).items() if name.endswith(_WEIGHTS))


if __name__ == "__main__":
    main()
