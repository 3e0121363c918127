"""``Writer``: an exported language model that writes on, word by word, as ``generate`` does: the likeliest word each time."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slimlit.export.extras import need
from slimlit.export.generator_file import NEXT, PAST
from slimlit.export.sample import Array, Inputs, Sample
from slimlit.models import PreTrainedModel

Memory = dict[str, Array]


class Writes(ABC):
    """An exported network that answers logits and writes, whatever runtime it is in."""

    @abstractmethod
    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        """The logits of whole texts."""

    @abstractmethod
    def write(self, prompt: list[int], max_new_tokens: int, stops: Collection[int]) -> list[int]:
        """The likeliest words after a prompt, or of a text, up to one that ends them."""


class Writer(Writes):
    """ONNX Runtime over one file that :func:`~slimlit.export.generator_file.write_generator` wrote."""

    def __init__(self, folder: Path, num_threads: int = 1) -> None:
        need("onnx", "onnxruntime")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
        options.log_severity_level = 3
        path = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.shapes: dict[str, Any] = {one.name: one.shape for one in self.session.get_inputs()}
        self.names = [one.name for one in self.session.get_outputs()]

    def read(self, ids: Array, mask: Array, memory: Memory | None = None) -> tuple[Array, Memory]:
        """Logits of new words ``(batch, new)``, given the mask of all words and what is remembered of those before."""
        if memory is None:
            pasts = {name: shape for name, shape in self.shapes.items() if name.startswith(PAST)}
            memory = {
                name: np.zeros((len(ids), shape[1], 0, shape[3]), dtype=np.float32) for name, shape in pasts.items()
            }
        positions = np.maximum(mask.cumsum(axis=1) - 1, 0)[:, -ids.shape[1] :]
        given = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **memory}
        answers = self.session.run(self.names, {name: given[name] for name in self.shapes})
        told = zip(self.names[1:], answers[1:], strict=True)
        return answers[0], {name.replace(NEXT, PAST): array for name, array in told}

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        """The logits of whole texts."""
        return {"logits": self.read(inputs["input_ids"], inputs["attention_mask"])[0]}

    def write(self, prompt: list[int], max_new_tokens: int, stops: Collection[int]) -> list[int]:
        """The likeliest words after a prompt, up to one that ends it."""
        words: list[int] = []
        ids, memory = np.asarray([prompt], dtype=np.int64), None
        while len(words) < max_new_tokens:
            mask = np.ones((1, len(prompt) + len(words)), dtype=np.int64)
            logits, memory = self.read(ids, mask, memory)
            words.append(int(logits[0, -1].argmax()))
            if words[-1] in stops:
                break
            ids = np.asarray([words[-1:]], dtype=np.int64)
        return words


def stops_of(network: PreTrainedModel) -> list[int]:
    """The words that end what a network writes."""
    told = network.generation_config.eos_token_id
    if told is None:
        return []
    return list(told) if isinstance(told, list | tuple) else [int(told)]


@torch.inference_mode()
def count_other_words(
    network: PreTrainedModel, writer: Writes, sample: Sample, max_new_tokens: int = 24
) -> tuple[int, int]:
    """After how many prompts the export writes other words than ``network.generate``, and how many were asked.

    The prompts are the first halves of some of the texts; an encoder-decoder is given whole ones.
    """
    stops, asked, others, answers = stops_of(network), 0, 0, network.config.is_encoder_decoder
    for batch in sample.batches[: 24 if answers else 8]:
        words = batch["input_ids"][0][batch["attention_mask"][0] == 1]
        prompt = words[: None if answers else max(1, len(words) // 2)].tolist()
        ids = torch.tensor([prompt])
        said = network.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
        )
        asked += 1
        others += said[0, 1 if answers else len(prompt) :].tolist() != writer.write(prompt, max_new_tokens, stops)
    return others, asked
