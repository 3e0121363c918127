"""Writes on after a prompt with the model in this folder: numpy, tokenizers and ONNX Runtime; nothing else.

pip install numpy tokenizers onnxruntime
python use.py "a prompt"
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
FACTS = json.loads((FOLDER / "slimlit.json").read_text(encoding="utf-8"))
PAST, NEXT = "input.past_key_values.", "output.past_key_values."
tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.no_truncation()
session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
shapes = {one.name: one.shape for one in session.get_inputs()}
outputs = [one.name for one in session.get_outputs()]


def write(prompt: list[int], max_new_tokens: int = 40) -> list[int]:
    """The likeliest words after a prompt."""
    memory: dict[str, Any] = {
        name: np.zeros((1, shape[1], 0, shape[3]), np.float32)
        for name, shape in shapes.items()
        if name.startswith(PAST)
    }
    new = list(prompt)
    words: list[int] = []
    while len(words) < max_new_tokens:
        length = len(prompt) + len(words)
        given: dict[str, Any] = {
            "input_ids": np.asarray([new], np.int64),
            "attention_mask": np.ones((1, length), np.int64),
            "position_ids": np.arange(length - len(new), length, dtype=np.int64)[None],
            **memory,
        }
        answers = session.run(outputs, {name: given[name] for name in shapes})
        memory = {name.replace(NEXT, PAST): one for name, one in zip(outputs[1:], answers[1:], strict=True)}
        word = int(answers[0][0, -1].argmax())
        if word in FACTS["stops"]:
            break
        words.append(word)
        new = [word]
    return words


if __name__ == "__main__":
    for text in sys.argv[1:] or ["once upon a time"]:
        ids = tokenizer.encode(text).ids
        print(text + tokenizer.decode(write(ids)))
