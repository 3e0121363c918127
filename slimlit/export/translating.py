"""``Translator``: an exported encoder-decoder that writes of a text, word by word, as ``generate`` does greedily."""

from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from slimlit.export.generator_file import NEXT, PAST
from slimlit.export.onnx_session import open_session
from slimlit.export.rules import Rules
from slimlit.export.sample import Array, Inputs
from slimlit.export.writing import Memory, Writes


class Translator(Writes):
    """What it writes, whatever runtime reads and says."""

    rules: Rules

    @abstractmethod
    def read(self, ids: Array, mask: Array) -> Memory:
        """What the decoder reads of texts, and nothing remembered yet."""

    @abstractmethod
    def say(self, words: Array, memory: Memory) -> tuple[Array, Memory]:
        """Logits after new words ``(batch, new)``, and the memory of them too."""

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        """The logits of whole answers."""
        memory = self.read(inputs["input_ids"], inputs["attention_mask"])
        return {"logits": self.say(inputs["decoder_input_ids"], memory)[0]}

    def write(self, prompt: list[int], max_new_tokens: int, stops: Collection[int]) -> list[int]:
        """The likeliest words of a text, as the rules allow, up to one that ends them."""
        ids = np.asarray([prompt], dtype=np.int64)
        memory = self.read(ids, np.ones_like(ids))
        words: list[int] = []
        while len(words) < max_new_tokens and (not words or words[-1] not in stops):
            logits, memory = self.say(np.asarray([[words[-1] if words else self.rules.start]], dtype=np.int64), memory)
            words.append(self.rules.choose(logits[0, -1], words, len(words) + 1 == max_new_tokens))
        return words


class OnnxTranslator(Translator):
    """ONNX Runtime over the files that :func:`~slimlit.export.translator_file.write_translator` wrote."""

    def __init__(self, folder: Path, rules: Rules, num_threads: int = 1) -> None:
        self.encoder, self.decoder = (
            open_session(folder / f"{name}.onnx", num_threads) for name in ("encoder", "decoder")
        )
        self.rules = rules
        self.heard = [one.name for one in self.encoder.get_outputs()]
        self.shapes: dict[str, Any] = {one.name: one.shape for one in self.decoder.get_inputs()}
        self.names = [one.name for one in self.decoder.get_outputs()]

    def read(self, ids: Array, mask: Array) -> Memory:
        """What the decoder reads of texts, and nothing remembered yet."""
        told = self.encoder.run(self.heard, {"input_ids": ids, "attention_mask": mask})
        nothing = {
            name: np.zeros((len(ids), shape[1], 0, shape[3]), dtype=np.float32)
            for name, shape in self.shapes.items()
            if name.startswith(PAST)
        }
        return {"attention_mask": mask, **dict(zip(self.heard, told, strict=True)), **nothing}

    def say(self, words: Array, memory: Memory) -> tuple[Array, Memory]:
        """Logits after new words ``(batch, new)``, and the memory of them too."""
        given = {"decoder_input_ids": words, **memory}
        answers = self.decoder.run(self.names, {name: given[name] for name in self.shapes})
        told = zip(self.names[1:], answers[1:], strict=True)
        return answers[0], memory | {name.replace(NEXT, PAST): array for name, array in told}
