"""The method every other one has to beat: numbers drawn at random."""

import hashlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.question import Question, input_ids, readable
from slimlit.models import PreTrainedModel
from slimlit.types import Batch


def random_numbers(network: PreTrainedModel, batch: Batch, question: Question) -> Float[Tensor, "batch inputs"]:
    """A standard normal number an input, drawn anew for each text, place and answer, and always the same for it."""
    inputs, real = input_ids(batch).cpu(), readable(batch, question).cpu()
    found = torch.zeros(inputs.shape, dtype=torch.float32)
    for row, seen in enumerate(real):
        place = -1 if question.places is None else int(question.places[row])
        content = [int(question.classes[row]), place, *inputs[row][seen].tolist()]
        seed = hashlib.sha256(np.array(content, dtype=np.int64).tobytes()).digest()
        drawn = np.random.default_rng(list(seed)).standard_normal(int(seen.sum()), dtype=np.float32)
        found[row, seen] = torch.from_numpy(drawn)
    return found.to(batch["input_ids"].device)
