"""Writes on after a prompt with the model in this folder: numpy, tokenizers and the runtime it was made for; nothing else.

pip install numpy tokenizers onnxruntime      (or openvino)
python use.py "a prompt"
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
FACTS = json.loads((FOLDER / "slimlit.json").read_text(encoding="utf-8"))
BEGIN = [] if FACTS["bos_token_id"] is None else [FACTS["bos_token_id"]]  # what an empty text is read as
PAST, NEXT = "input.past_key_values.", "output.past_key_values."


class Onnx:
    """ONNX Runtime: what is remembered of the words before is given with new ones."""

    def __init__(self) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), providers=["CPUExecutionProvider"])
        self.shapes = {one.name: one.shape for one in self.session.get_inputs()}
        self.outputs = [one.name for one in self.session.get_outputs()]

    def forget(self) -> None:
        """Remember no word."""
        self.memory: dict[str, Any] = {
            name: np.zeros((1, shape[1], 0, shape[3]), np.float32)
            for name, shape in self.shapes.items()
            if name.startswith(PAST)
        }

    def say(self, inputs: dict[str, Any]) -> Any:
        """The logits after new words."""
        given = {**inputs, **self.memory}
        answers = self.session.run(self.outputs, {name: given[name] for name in self.shapes})
        told = zip(self.outputs[1:], answers[1:], strict=True)
        self.memory = {name.replace(NEXT, PAST): one for name, one in told}
        return answers[0][0, -1]


class OpenVINO:
    """OpenVINO: the runtime remembers the words before by itself."""

    def __init__(self) -> None:
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}  # else as the runtime likes
        model = openvino.Core().compile_model(FOLDER / "openvino_model.xml", "CPU", settings)
        self.request = model.create_infer_request()
        self.names = [one.get_any_name() for one in model.inputs]

    def forget(self) -> None:
        """Remember no word."""
        self.request.reset_state()

    def say(self, inputs: dict[str, Any]) -> Any:
        """The logits after new words."""
        given = {**inputs, "beam_idx": np.zeros(1, np.int32)}
        return np.array(self.request.infer({name: given[name] for name in self.names})["logits"][0, -1])


tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.no_truncation()
model = Onnx() if FACTS["target"] == "onnx" else OpenVINO()


def write(prompt: list[int], max_new_tokens: int = 40) -> list[int]:
    """The likeliest words after a prompt."""
    model.forget()
    new = list(prompt)
    words: list[int] = []
    while len(words) < max_new_tokens:
        length = len(prompt) + len(words)
        logits = model.say(
            {
                "input_ids": np.asarray([new], np.int64),
                "attention_mask": np.ones((1, length), np.int64),
                "position_ids": np.arange(length - len(new), length, dtype=np.int64)[None],
            }
        )
        word = int(logits.argmax())
        if word in FACTS["stops"]:
            break
        words.append(word)
        new = [word]
    return words


if __name__ == "__main__":
    for text in sys.argv[1:] or ["once upon a time"]:
        ids = tokenizer.encode(text).ids or BEGIN
        if ids:
            print(text + tokenizer.decode(write(ids)))
        else:
            print("an empty text, and no token to begin with: give some words", file=sys.stderr)
