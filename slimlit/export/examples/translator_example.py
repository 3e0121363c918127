"""Writes of texts with the model in this folder (a translation, a summary): numpy, tokenizers and the runtime it was made for; nothing else.

pip install numpy tokenizers onnxruntime      (or openvino)
python use.py "a text" "another"
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

FOLDER = Path(__file__).parent
FACTS = json.loads((FOLDER / "slimlit.json").read_text(encoding="utf-8"))
RULES = FACTS["rules"]
PAST, NEXT = "input.past_key_values.", "output.past_key_values."


class Onnx:
    """ONNX Runtime: what is remembered of the words before is given with each word."""

    def __init__(self) -> None:
        import onnxruntime

        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(str(FOLDER / f"{name}.onnx"), providers=["CPUExecutionProvider"])
            for name in ("encoder", "decoder")
        )
        self.shapes = {one.name: one.shape for one in self.decoder.get_inputs()}
        self.outputs = [one.name for one in self.decoder.get_outputs()]

    def read(self, inputs: dict[str, Any]) -> None:
        """Read a text, and remember no word."""
        names = [one.name for one in self.encoder.get_outputs()]
        self.memory = {
            name: np.zeros((1, shape[1], 0, shape[3]), np.float32)
            for name, shape in self.shapes.items()
            if name.startswith(PAST)
        }
        self.memory |= {**inputs, **dict(zip(names, self.encoder.run(names, inputs), strict=True))}

    def say(self, word: int) -> Any:
        """The logits after a word."""
        given = {**self.memory, "decoder_input_ids": np.asarray([[word]], np.int64)}
        answers = self.decoder.run(self.outputs, {name: given[name] for name in self.shapes})
        told = zip(self.outputs[1:], answers[1:], strict=True)
        self.memory |= {name.replace(NEXT, PAST): one for name, one in told}
        return answers[0][0, -1]


class OpenVINO:
    """OpenVINO: the runtime remembers the words before by itself."""

    def __init__(self) -> None:
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}  # else as the runtime likes
        self.encoder, self.decoder = (
            openvino.Core().compile_model(FOLDER / f"openvino_{name}_model.xml", "CPU", settings).create_infer_request()
            for name in ("encoder", "decoder")
        )
        self.names = [one.get_any_name() for one in self.decoder.model_inputs]

    def read(self, inputs: dict[str, Any]) -> None:
        """Read a text, and remember no word."""
        said = self.encoder.infer(inputs)
        self.memory = {**inputs, **{place.get_any_name(): np.array(said[place]) for place in said}}
        self.decoder.reset_state()

    def say(self, word: int) -> Any:
        """The logits after a word."""
        given = {**self.memory, "decoder_input_ids": np.asarray([[word]]), "beam_idx": np.zeros(1, np.int32)}
        return np.array(self.decoder.infer({name: given[name] for name in self.names})["logits"][0, -1])


tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(FACTS["max_length"])
model = Onnx() if FACTS["target"] == "onnx" else OpenVINO()


def write(ids: list[int], max_new_tokens: int = RULES["most"]) -> list[int]:
    """The likeliest words of a text."""
    model.read({"input_ids": np.asarray([ids], np.int64), "attention_mask": np.ones((1, len(ids)), np.int64)})
    words = [RULES["start"]]
    while len(words) <= max_new_tokens:
        word = choose(model.say(words[-1]), words)
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
        print(tokenizer.decode(write(tokenizer.encode(FACTS["prefix"] + text).ids)))
