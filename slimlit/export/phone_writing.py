"""``PhoneWriter``: an exported language model in ExecuTorch, which keeps what it read and writes on, word by word."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch

from slimlit.export.sample import Array, Inputs
from slimlit.export.writing import Writes


class PhoneWriter(Writes):
    """ExecuTorch over one file that :func:`~slimlit.export.phone_writer_file.write_phone_writer` wrote; one text at a time."""

    def __init__(self, folder: Path) -> None:
        from executorch.runtime import Runtime

        self.method = Runtime.get().load_program(folder / "model.pte").load_method("forward")
        self.room = self.num_places = int(self.method.metadata.input_tensor_meta(0).sizes()[1])

    def say(self, ids: list[int], place: int) -> Array:
        """The logits ``(new, words)`` after new words at a place; what stands before it is remembered."""
        given = [torch.tensor([ids]), torch.arange(place, place + len(ids))]
        logits: Array = self.method.execute(given)[0].numpy()[0].copy()
        return logits

    def __call__(self, inputs: Inputs) -> dict[str, Array]:
        """The logits of whole texts; zero where there is padding."""
        ids, real = inputs["input_ids"], inputs["attention_mask"] == 1
        rows = [self.say(row[kept].tolist(), 0) for row, kept in zip(ids, real, strict=True)]
        logits = np.zeros((*ids.shape, rows[0].shape[-1]), dtype=np.float32)
        for place, (row, kept) in enumerate(zip(rows, real, strict=True)):
            logits[place, kept] = row
        return {"logits": logits}

    def write(self, prompt: list[int], max_new_tokens: int, stops: Collection[int]) -> list[int]:
        """The likeliest words after a prompt, up to one that ends it, or until there is no room."""
        words, new = list(prompt), list(prompt)
        while len(words) < min(len(prompt) + max_new_tokens, self.num_places):
            words.append(int(self.say(new, len(words) - len(new))[-1].argmax()))
            new = words[-1:]
            if new[0] in stops:
                break
        return words[len(prompt) :]
