"""Who takes part: each module has a function ``(job, clock) -> student`` that trains the job's student."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

Found = dict[str, list[dict[str, Any]]]  # contestant to what each of its runs measured

NAMES = {
    "floor": "floor:ours",
    "floor-plain": "floor:plain",
    "slimlit": "slimlit:train",
    "bare": "bare:train",
    "textbrewer": "textbrewer:live",
    "textbrewer-cached": "textbrewer:cached",
    "torchdistill": "torchdistill:train",
    "hf-trainer": "hf_trainer:plain",
    "hf-trainer-tuned": "hf_trainer:tuned",
    "lightning": "lightning:train",
}
NEEDS = {
    "textbrewer": "textbrewer",
    "textbrewer-cached": "textbrewer",
    "torchdistill": "torchdistill",
    "hf-trainer": "accelerate",
    "hf-trainer-tuned": "accelerate",
}


def find(name: str) -> Callable[..., Any]:
    """The training function of a contestant; imports what it needs."""
    module, function = NAMES[name].split(":")
    train: Callable[..., Any] = getattr(import_module(f"{__name__}.{module}"), function)
    return train
