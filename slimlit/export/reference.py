"""``answers``: what the network itself says of arrays, in eager PyTorch: what every export is held against."""

from typing import Any

import torch

from slimlit.export.sample import Array, Inputs
from slimlit.models import PreTrainedModel


@torch.inference_mode()
def answers(network: PreTrainedModel, inputs: Inputs) -> dict[str, Array]:
    """``logits``, and ``pooling_weights`` where the network has them."""
    given: dict[str, Any] = {name: torch.from_numpy(array) for name, array in inputs.items()}
    said = network(**given, **({"use_cache": False} if network.can_generate() else {}))
    found = {"logits": said.logits.float().numpy()}
    if "pooling_weights" in said:
        found["pooling_weights"] = said.pooling_weights.numpy()
    return found
