"""Where each architecture keeps its heads, feed-forward units, hidden units and words: what the axes of every weight are."""

import fnmatch
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn
from transformers import PreTrainedConfig

from slimlit.models.architectures import base_config

_WORDS = r"(word_embeddings|embed_tokens|shared|wte|tok_embeddings|lm_head|generator_lm_head|predictions\.decoder|vocab_projector|lm_head\.decoder)\.weight$|^decoder\.weight$"
_WORD_BIASES = r"(lm_head|generator_lm_head|decoder|predictions|vocab_projector)\.bias$|final_logits_bias$"
_TABLES = r"(embed_positions|position_embeddings|token_type_embeddings|wpe)\.weight$"
_CLASSES = r"(classifier|energy|out_proj|score)\.(weight|bias)$"


class Place(NamedTuple):
    """A layer: of which stack (``encoder``, ``decoder``, or ``layers`` where there is one), and its number, from 1."""

    side: str
    number: int

    def key(self, part: str) -> str:
        """The name of a part of it: ``encoder.3.self``."""
        return f"{self.side}.{self.number}.{part}"


@dataclass(frozen=True)
class Layout:
    """What the axes of an architecture's weights are.

    Args:
        layer: a pattern that finds a layer's stack and number in the name of what is in it.
        linears: by the name within a layer, what a linear map writes and reads: ``self`` and ``cross`` are the heads of an
            attention, ``shared`` the heads of its keys and values, ``feed`` the feed-forward units; ``2*feed`` two in one.
        turned: whether its weights are held reading axis first.
    """

    layer: str
    linears: dict[str, str]
    turned: bool = False

    def find_layer(self, name: str) -> tuple[Place, str] | None:
        """The layer that a weight or module is in, and its name there; None where it is in none."""
        found = re.search(self.layer, name)
        if found is None:
            return None
        groups = found.groupdict()
        return Place(groups.get("side") or "layers", int(groups["number"]) + 1), name[found.end() :].lstrip(".")

    def linear(self, rest: str) -> tuple[str, str] | None:
        """What a linear map within a layer writes and reads."""
        for pattern, axes in self.linears.items():
            if fnmatch.fnmatchcase(rest, pattern):
                writes, reads = axes.split()
                return writes, reads
        return None

    def axes(self, name: str, shape: tuple[int, ...], hidden: int, embedding: int) -> tuple[str, ...]:
        """What each axis of a weight is; ``-`` is one that no pruning touches.

        Args:
            name: of the weight, in the whole network, and its ``shape``.
            hidden: width of the network, and of its word table, ``embedding``.
        """
        inside = self.find_layer(name)
        if inside is not None:
            linear, _, kind = inside[1].rpartition(".")
            known = self.linear(linear)
            if known is not None and known[1] == "heads":
                return known
            if known is not None:
                writes, reads = known
                return (writes,) if kind == "bias" else (reads, writes) if self.turned else (writes, reads)
            return tuple("hidden" if size == hidden and not re.search(r"[qk]_norm\.", name) else "-" for size in shape)
        if re.search(_WORD_BIASES, name):
            return (*["-"] * (len(shape) - 1), "words")
        width = "hidden" if embedding == hidden else "-"
        if re.search(_WORDS, name):
            return "words", width
        if re.search(_TABLES, name):
            return "-", width
        free = 1 if re.search(_CLASSES, name) else 0
        return tuple(
            "-"
            if at < free or size % hidden or not size
            else "hidden"
            if size == hidden
            else f"{size // hidden}*hidden"
            for at, size in enumerate(shape)
        )


def _attention(prefix: str, names: str, kind: str) -> dict[str, str]:
    query, key, value, output = (f"{prefix}{name}" for name in names.split())
    shared = "shared" if kind == "self" else kind
    return {query: f"{kind} hidden", key: f"{shared} hidden", value: f"{shared} hidden", output: f"hidden {kind}"}


_BERT = Layout(
    r"encoder\.layer\.(?P<number>\d+)(\.|$)",
    {
        **_attention("attention.", "self.query self.key self.value output.dense", "self"),
        "intermediate.dense": "feed hidden",
        "output.dense": "hidden feed",
    },
)
_DISTILBERT = Layout(
    r"transformer\.layer\.(?P<number>\d+)(\.|$)",
    {
        **_attention("attention.", "q_lin k_lin v_lin out_lin", "self"),
        "ffn.lin1": "feed hidden",
        "ffn.lin2": "hidden feed",
    },
)
_MODERNBERT = Layout(
    r"(^|\.)layers\.(?P<number>\d+)(\.|$)",
    {"attn.Wqkv": "3*self hidden", "attn.Wo": "hidden self", "mlp.Wi": "2*feed hidden", "mlp.Wo": "hidden feed"},
)
_LLAMA = Layout(
    r"(^|\.)layers\.(?P<number>\d+)(\.|$)",
    {
        **_attention("self_attn.", "q_proj k_proj v_proj o_proj", "self"),
        "mlp.gate_proj": "feed hidden",
        "mlp.up_proj": "feed hidden",
        "mlp.down_proj": "hidden feed",
    },
)
_BART = Layout(
    r"(?P<side>encoder|decoder)\.layers\.(?P<number>\d+)(\.|$)",
    {
        **_attention("self_attn.", "q_proj k_proj v_proj out_proj", "self"),
        **_attention("encoder_attn.", "q_proj k_proj v_proj out_proj", "cross"),
        "fc1": "feed hidden",
        "fc2": "hidden feed",
    },
)
_T5 = Layout(
    r"(?P<side>encoder|decoder)\.block\.(?P<number>\d+)(\.|$)",
    {
        **_attention("layer.0.SelfAttention.", "q k v o", "self"),
        **_attention("layer.1.EncDecAttention.", "q k v o", "cross"),
        "layer.0.SelfAttention.relative_attention_bias": "- heads",
        "layer.?.DenseReluDense.wi*": "feed hidden",
        "layer.?.DenseReluDense.wo": "hidden feed",
    },
)
_GPT2 = Layout(
    r"(^|\.)h\.(?P<number>\d+)(\.|$)",
    {
        "attn.c_attn": "3*self hidden",
        "attn.c_proj": "hidden self",
        "mlp.c_fc": "feed hidden",
        "mlp.c_proj": "hidden feed",
    },
    turned=True,
)
_LAYOUTS = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
    "distilbert": _DISTILBERT,
    "modernbert": _MODERNBERT,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "smollm3"), _LLAMA),
    **dict.fromkeys(("marian", "bart", "mbart", "pegasus"), _BART),
    **dict.fromkeys(("t5", "mt5"), _T5),
    "gpt2": _GPT2,
}


def layout_of(config: PreTrainedConfig) -> Layout:
    """The layout of an architecture; a ValueError where it is not known."""
    config = base_config(config)
    if config.model_type not in _LAYOUTS:
        raise ValueError(
            f"where a {config.model_type} keeps its heads is not known, so nothing of it can be taken away\n"
            f"known: {', '.join(_LAYOUTS)}"
        )
    return _LAYOUTS[config.model_type]


def layers_of(network: nn.Module, layout: Layout) -> Iterator[tuple[Place, nn.Module]]:
    """Each layer of a network and where it stands."""
    for name, module in network.named_modules():
        found = layout.find_layer(name)
        if found is not None and not found[1]:
            yield found[0], module


def readers_of(network: nn.Module, layout: Layout) -> Iterator[tuple[str, str, nn.Module]]:
    """Each linear map that reads heads or feed-forward units: the key of what it reads, the kind, and the map."""
    for name, module in network.named_modules():
        found = layout.find_layer(name)
        known = None if found is None else layout.linear(found[1])
        if found is not None and known is not None and known[1] in ("self", "cross", "feed"):
            yield found[0].key(known[1]), known[1], module
