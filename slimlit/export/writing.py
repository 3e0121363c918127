"""``Writer``: an exported language model that writes on, word by word, as ``generate`` does: the likeliest word each time."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slimlit.export.generator_file import NEXT, PAST
from slimlit.export.onnx_session import open_session
from slimlit.export.rules import stops_of
from slimlit.export.sample import Array, Inputs, Sample
from slimlit.models import PreTrainedModel
from slimlit.models.generation import num_positions

Memory = dict[str, Array]
_GREEDY = {
    "do_sample": False, "num_beams": 1, "num_return_sequences": 1, "early_stopping": False, "length_penalty": 1.0, "max_length": None,
}  # fmt: skip


class Writes(ABC):
    """An exported network that answers logits and writes, whatever runtime it is in.

    ``room`` is how many tokens of prompt and answer it can hold; None where it sets no limit of its own.
    """

    room: int | None = None

    @abstractmethod
    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        """The logits of whole texts."""

    @abstractmethod
    def write(self, prompt: list[int], max_new_tokens: int, stops: Collection[int]) -> list[int]:
        """The likeliest words after a prompt, or of a text, up to one that ends them."""


class Writer(Writes):
    """ONNX Runtime over one file that :func:`~slimlit.export.generator_file.write_generator` wrote."""

    def __init__(self, folder: Path, num_threads: int = 1) -> None:
        self.session = open_session(folder / "model.onnx", num_threads)
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


@torch.inference_mode()
def count_other_words(
    network: PreTrainedModel, writer: Writes, sample: Sample, max_new_tokens: int = 24
) -> tuple[int, int]:
    """After how many prompts the export writes other words than ``network.generate``, and how many were asked.

    The prompts are the first halves of some of the texts; an encoder-decoder is given whole ones. After each come as many words as the
    network, and the export, have room for.
    """
    reads_whole = network.config.is_encoder_decoder
    stops, asked, others = stops_of(network), 0, 0
    settings = copy.deepcopy(network.generation_config)
    settings.update(**_GREEDY)
    for batch in sample.batches[: 24 if reads_whole else 8]:
        words = batch["input_ids"][0][batch["attention_mask"][0] == 1]
        prompt = words[: None if reads_whole else max(1, len(words) // 2)].tolist()
        begun = 0 if reads_whole else len(prompt)
        limits = [room - begun for room in (num_positions(network.config), writer.room) if room is not None]
        settings.max_new_tokens = min([max_new_tokens, *limits])
        if settings.max_new_tokens < 1:
            continue
        ids = torch.tensor([prompt])
        said = network.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings)
        found = writer.write(prompt, settings.max_new_tokens, stops)
        asked += 1
        others += said[0, 1 if reads_whole else len(prompt) :].tolist() != found
    return others, asked
