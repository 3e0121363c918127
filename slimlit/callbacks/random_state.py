"""The state of the random number generators, as plain data that a checkpoint can hold."""

import random
from typing import Any

import numpy as np
import torch


def read_random_state() -> dict[str, Any]:
    """The states of torch (CPU and, where there is one, the current GPU), numpy and Python."""
    _, words, *rest = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "numpy": (torch.from_numpy(np.asarray(words).astype(np.int64)), *rest),  # checkpoints hold no uint32
        "python": random.getstate(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def write_random_state(state: dict[str, Any]) -> None:
    """Set the generators to a state that :func:`read_random_state` gave."""
    torch.set_rng_state(state["torch"])
    words, *rest = state["numpy"]
    np.random.set_state(("MT19937", words.numpy().astype(np.uint32), *rest))
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
