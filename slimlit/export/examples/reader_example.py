"""Reads texts with the model in this folder: numpy, tokenizers and the runtime it was made for; nothing else.

pip install numpy tokenizers onnxruntime      (or openvino, or executorch, which brings torch along)
python use.py "a text" "another"
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
FACTS = json.loads((FOLDER / "slimlit.json").read_text(encoding="utf-8"))


def open_model() -> Callable[[dict[str, Any]], list[Any]]:
    """The model in its runtime, as a function from arrays to arrays."""
    if FACTS["target"] == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
        return lambda inputs: session.run(FACTS["outputs"], inputs)
    if FACTS["target"] == "openvino":
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32"}  # else bfloat16, where the processor has it
        model = openvino.Core().compile_model(FOLDER / "openvino_model.xml", "CPU", settings)
        return lambda inputs: [model(inputs)[place] for place in range(len(FACTS["outputs"]))]
    import torch
    from executorch.runtime import Runtime

    program = Runtime.get().load_program(FOLDER / "model.pte")
    method = program.load_method("forward")

    def run(inputs: dict[str, Any]) -> list[Any]:
        rows = []  # one text a call
        for row in range(len(inputs["input_ids"])):
            given = [torch.from_numpy(inputs[name][row : row + 1].copy()) for name in FACTS["inputs"]]
            rows.append([one.numpy().copy() for one in method.execute(given)])
        return [np.concatenate(side) for side in zip(*rows, strict=True)]

    return run


tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(FACTS["max_length"])
model = open_model()


def read(texts: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """The tokens of the texts and what the model answers."""
    encoded = tokenizer.encode_batch(texts)
    longest = max(len(one.ids) for one in encoded)
    inputs = {name: np.zeros((len(texts), longest), dtype=np.int64) for name in FACTS["inputs"]}
    inputs["input_ids"][:] = FACTS["pad_token_id"]
    for row, one in enumerate(encoded):
        for name, values in (("input_ids", one.ids), ("token_type_ids", one.type_ids)):
            if name in inputs:
                inputs[name][row, : len(values)] = values
        for name in ("attention_mask", "pooling_mask"):
            if name in inputs:
                inputs[name][row, : len(one.ids)] = 1
    return encoded, dict(zip(FACTS["outputs"], model(inputs), strict=True))


def show(encoded: list[Any], answer: dict[str, Any]) -> None:
    """Print what was answered of each text."""
    for row, one in enumerate(encoded):
        logits = answer["logits"][row]
        if FACTS["kind"] == "sequence_classification":
            odds = np.exp(logits - logits.max())
            best = int(odds.argmax())
            print(f"{FACTS['labels'][best]}  {odds[best] / odds.sum():.4f}")
            if "pooling_weights" in answer:
                weights = answer["pooling_weights"][row].mean(axis=0)[: len(one.ids)]
                print(
                    "  read:",
                    " ".join(f"{token} {weight:.2f}" for token, weight in zip(one.tokens, weights, strict=True)),
                )
        elif FACTS["kind"] == "token_classification":
            tags = logits.argmax(axis=-1)[: len(one.ids)]
            print(" ".join(f"{token}/{FACTS['labels'][tag]}" for token, tag in zip(one.tokens, tags, strict=True)))
        else:
            words = logits.argmax(axis=-1)[: len(one.ids)]
            print(" ".join(tokenizer.id_to_token(int(word)) or "" for word in words))


if __name__ == "__main__":
    show(*read(sys.argv[1:] or ["a text to read"]))
