"""Writes of texts with the model in this folder (a translation, a summary): numpy, tokenizers and ONNX Runtime; nothing else.

pip install numpy tokenizers onnxruntime
python use.py "a text" "another"
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
RULES = FACTS["rules"]
PAST, NEXT = "input.past_key_values.", "output.past_key_values."
tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(FACTS["max_length"])
encoder, decoder = (
    onnxruntime.InferenceSession(str(FOLDER / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    for name in ("encoder", "decoder")
)
shapes = {one.name: one.shape for one in decoder.get_inputs()}
heard = [one.name for one in encoder.get_outputs()]
outputs = [one.name for one in decoder.get_outputs()]


def write(ids: list[int], max_new_tokens: int = 64) -> list[int]:
    """The likeliest words of a text."""
    mask = np.ones((1, len(ids)), np.int64)
    read = encoder.run(heard, {"input_ids": np.asarray([ids], np.int64), "attention_mask": mask})
    memory: dict[str, Any] = {"attention_mask": mask, **dict(zip(heard, read, strict=True))}
    memory |= {
        name: np.zeros((1, shape[1], 0, shape[3]), np.float32)
        for name, shape in shapes.items()
        if name.startswith(PAST)
    }
    words = [RULES["start"]]
    while len(words) <= max_new_tokens:
        given = {"decoder_input_ids": np.asarray([words[-1:]], np.int64), **memory}
        answers = decoder.run(outputs, {name: given[name] for name in shapes})
        memory |= {name.replace(NEXT, PAST): one for name, one in zip(outputs[1:], answers[1:], strict=True)}
        word = choose(answers[0][0, -1], words)
        if word in RULES["stops"]:
            break
        words.append(word)
    return words[1:]


def choose(logits: Any, words: list[int]) -> int:
    """The likeliest word that may follow."""
    if len(words) == 1 and RULES["first"] is not None:
        return int(RULES["first"])
    logits[RULES["never"]] = -np.inf
    if len(words) <= RULES["least"]:
        logits[RULES["stops"]] = -np.inf
    size = RULES["ngram"]
    for at in range(len(words) - size + 1 if size else 0):
        if words[at : at + size - 1] == words[len(words) - size + 1 :]:
            logits[words[at + size - 1]] = -np.inf
    return int(logits.argmax())


if __name__ == "__main__":
    for text in sys.argv[1:] or ["a text to read"]:
        print(tokenizer.decode(write(tokenizer.encode(text).ids)))
