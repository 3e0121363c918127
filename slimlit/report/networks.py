"""``read_network``: what a model in a folder is made of, read from its ``config.json`` and the head of its weights."""

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimlit.report.reading import dig

# the same thing under the names that model types give it
_KEYS = {
    "layers": ("num_hidden_layers", "encoder_layers", "n_layer", "n_layers", "num_layers"),
    "decoder layers": ("decoder_layers", "num_decoder_layers"),
    "width": ("hidden_size", "d_model", "n_embd", "dim"),
    "feed-forward width": ("intermediate_size", "encoder_ffn_dim", "d_ff", "n_inner", "hidden_dim"),
    "attention heads": ("num_attention_heads", "encoder_attention_heads", "n_head", "n_heads", "num_heads"),
    "words in the vocabulary": ("vocab_size",),
}
_LONGEST_HEAD = 2**26  # bytes of a safetensors header


@dataclass(frozen=True)
class Network:
    """A model as its files describe it."""

    architecture: str
    sizes: dict[str, int]
    """Layers, widths and heads by name."""
    pooling: str | None
    parameters: int | None
    num_bytes: int | None
    """Of the weights' files."""


def read_network(folder: Path) -> Network | None:
    """The model in a Hugging Face folder; None where there is none, or its config is damaged."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(config, dict):
        return None
    inner = next((config[name] for name in ("encoder", "text_config") if isinstance(config.get(name), dict)), config)
    sizes = {}
    for name, keys in _KEYS.items():
        given = [inner[key] for key in keys if isinstance(inner.get(key), int)]
        if given and not (name == "decoder layers" and not inner.get("is_encoder_decoder")):
            sizes[name] = given[0]
    architectures = [str(one) for source in (config, inner) for one in source.get("architectures") or []]
    files = sorted(folder.glob("*.safetensors"))
    counts = [_parameters(file) for file in files]
    known = [count for count in counts if count is not None]
    return Network(
        " of ".join(dict.fromkeys(architectures)) or str(config.get("model_type", "unknown")),
        sizes,
        str(config["pooling"]) if "pooling" in config else None,
        sum(known) if files and len(known) == len(files) else None,
        sum(file.stat().st_size for file in files) if files else None,
    )


def _parameters(file: Path) -> int | None:
    """How many numbers a safetensors file holds; its head alone is read."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _LONGEST_HEAD:
                return None
            head = json.loads(stream.read(length))
            return sum(int(math.prod(one["shape"])) for name, one in head.items() if name != "__metadata__")
    except (OSError, ValueError, struct.error, LookupError, TypeError, AttributeError):
        return None


def described(setting: Any) -> str:
    """A class of the config with its settings, in words: ``SoftTargets (temperature 2.0)``."""
    name = str(dig(setting, "class_path") or "").rpartition(".")[2]
    if not name:
        return "" if setting is None or isinstance(setting, dict) else str(setting)
    given = dig(setting, "init_args") or {}
    if isinstance(given, dict) and "losses" in given and isinstance(given["losses"], dict):
        weights = given.get("weights") or {}
        return " + ".join(f"{_weight(weights, key)}{described(one)}" for key, one in given["losses"].items())
    return f"{name} ({said})" if (said := ", ".join(_settings(given))) else name


def _weight(weights: Any, key: str) -> str:
    weight = dig(weights, key)
    return "" if weight is None else f"{weight} × "


def _settings(given: Any) -> Iterator[str]:
    for key, value in given.items() if isinstance(given, dict) else ():
        if value is not None and not isinstance(value, dict):
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            yield f"{str(key).replace('_', ' ')} {said}"
