"""``OpenVINOWriter``, ``OpenVINOTranslator``: exported networks that write in OpenVINO, which remembers the words before by itself."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from slimlit.export.extras import need
from slimlit.export.rules import Rules
from slimlit.export.sample import Array, Inputs
from slimlit.export.translating import Translator
from slimlit.export.writing import Memory, Writes


class OpenVINOWriter(Writes):
    """A causal language model: what is remembered stays in the runtime, of one batch at a time."""

    def __init__(self, folder: Path, num_threads: int = 1) -> None:
        self.request, self.inputs = open_request(folder / "openvino_model.xml", num_threads)

    def read(self, ids: Array, mask: Array, goes_on: bool) -> Array:
        """Logits of new words ``(batch, new)``, given the mask of all words, those before in the runtime's memory or in none."""
        if not goes_on:
            self.request.reset_state()
        positions = np.maximum(mask.cumsum(axis=1) - 1, 0)[:, -ids.shape[1] :]
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "beam_idx": same_rows(ids)}
        return answer(self.request, {name: given[name] for name in self.inputs})["logits"]

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        """The logits of whole texts."""
        return {"logits": self.read(inputs["input_ids"], inputs["attention_mask"], goes_on=False)}

    def write(self, prompt: list[int], max_new_tokens: int, stops: Collection[int]) -> list[int]:
        """The likeliest words after a prompt, up to one that ends it."""
        words: list[int] = []
        while len(words) < max_new_tokens and (not words or words[-1] not in stops):
            ids = np.asarray([words[-1:] or prompt], dtype=np.int64)
            mask = np.ones((1, len(prompt) + len(words)), dtype=np.int64)
            words.append(int(self.read(ids, mask, goes_on=bool(words))[0, -1].argmax()))
        return words


class OpenVINOTranslator(Translator):
    """An encoder-decoder: what was read is given with each word, the words before stay in the runtime, of one batch at a time."""

    def __init__(self, folder: Path, rules: Rules, num_threads: int = 1) -> None:
        self.rules = rules
        self.encoder, _ = open_request(folder / "openvino_encoder_model.xml", num_threads)
        self.decoder, self.inputs = open_request(folder / "openvino_decoder_model.xml", num_threads)

    def read(self, ids: Array, mask: Array) -> Memory:
        """What the decoder reads of texts, and nothing remembered yet."""
        self.decoder.reset_state()
        return {"attention_mask": mask, **answer(self.encoder, {"input_ids": ids, "attention_mask": mask})}

    def say(self, words: Array, memory: Memory) -> tuple[Array, Memory]:
        """Logits after new words ``(batch, new)``."""
        given = {"decoder_input_ids": words, "beam_idx": same_rows(words), **memory}
        return answer(self.decoder, {name: given[name] for name in self.inputs})["logits"], memory


def open_request(path: Path, num_threads: int) -> tuple[Any, list[str]]:
    """A graph on the CPU in float32, as what may be asked, and the names of its inputs.

    Left alone OpenVINO computes in bfloat16 where the processor has it; keys and values are held to float32 with a setting of their own.
    """
    need("openvino", "openvino")
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32", "INFERENCE_NUM_THREADS": num_threads, "NUM_STREAMS": 1}  # fmt: skip
    model = core.compile_model(core.read_model(path), "CPU", settings)
    return model.create_infer_request(), [one.get_any_name() for one in model.inputs]


def answer(request: Any, inputs: dict[str, Array]) -> dict[str, Array]:
    """What a graph says, by name, in arrays of our own."""
    said = request.infer(inputs)
    return {place.get_any_name(): np.array(said[place]) for place in said}


def same_rows(ids: Array) -> Array:
    """Each row of the batch goes on as itself."""
    return np.arange(len(ids), dtype=np.int32)
