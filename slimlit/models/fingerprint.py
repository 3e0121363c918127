"""A network's fingerprint: one hash of its weights and of the configuration that says how they are used."""

import hashlib
import json
from typing import Any

import torch
from transformers import PreTrainedModel

# where it was loaded from and by what; the type of each weight is hashed with the weight
_NOT_PART_OF_THE_FUNCTION = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")


def fingerprint(network: PreTrainedModel) -> str:
    """The sha256 over class, configuration and every weight's name, type, shape and bytes.

    Guarantees:
        - a network saved and loaded again has the same fingerprint, from whatever path;
        - one changed weight changes it.
    """
    digest = hashlib.sha256(type(network).__name__.encode())
    digest.update(json.dumps(_settings(network.config.to_dict()), sort_keys=True, default=str).encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _settings(config: dict[Any, Any]) -> dict[str, Any]:
    kept = {str(name): value for name, value in config.items() if name not in _NOT_PART_OF_THE_FUNCTION}
    return {name: _settings(value) if isinstance(value, dict) else value for name, value in kept.items()}
