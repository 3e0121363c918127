"""What is done to the attention of one network while it is watched: recorded, mapped, held fixed, its heads gated."""

from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

AttentionKind = Literal["encoder", "decoder", "cross"]
"""Whose attention: an encoder's to itself, a decoder's to itself (a language model is one), a decoder's to an encoder."""

Recorded = dict[int, tuple[Tensor, Tensor, Tensor]]
Maps = dict[AttentionKind, list[Tensor]]
"""Probabilities of each layer, ``(batch, heads, queries, keys)``; layers may differ in heads, kinds in all but the batch."""

Gates = Mapping[AttentionKind, Float[Tensor, "layers *batch heads"]]


@dataclass(frozen=True)
class Watch:
    """What is asked of the attention of a network's modules, and what was seen of the forward pass so far."""

    stacks: Mapping[int, AttentionKind]  # of each module, by id, the kind it has unless it is causal
    record: Recorded | None = None
    maps: Maps | None = None
    gates: Gates | None = None
    is_fixed: bool = False
    seen: Counter[AttentionKind] = field(default_factory=Counter)

    def forget(self, *_: Any) -> None:
        """Begin anew: a forward pass begins."""
        self.seen.clear()
        for found in (self.record, self.maps):
            if found is not None:
                found.clear()

    def kind(self, module: nn.Module, is_causal: bool) -> AttentionKind:
        """Whose attention a module is."""
        return "decoder" if is_causal else self.stacks[id(module)]

    def gate(self, kind: AttentionKind, heads: int) -> Float[Tensor, "*batch heads"] | None:
        """The multipliers of the next layer of that kind; of each example, where each has its own.

        Raises:
            ValueError: there are none for it, or not as many as it has heads.
        """
        if self.gates is None or kind not in self.gates:
            return None
        gates, layer = self.gates[kind], self.seen[kind]
        if layer >= len(gates) or gates.shape[-1] < heads:
            raise ValueError(
                f"gates of shape {tuple(gates.shape)} for {kind} attention, whose layer {layer + 1} has {heads} heads\n"
                "expected one gate for each head of each layer: (layers, heads), or (layers, batch, heads)"
            )
        return gates[layer][..., :heads]


watches: ContextVar[tuple[Watch, ...]] = ContextVar("slimlit_attention_watches", default=())


def stacks_of(network: PreTrainedModel) -> dict[int, AttentionKind]:
    """Of each module of a network, by its id, the kind of attention it would be were it not causal."""
    if not network.config.is_encoder_decoder:
        return {id(module): "encoder" for module in network.modules()}
    found: dict[int, AttentionKind] = {id(module): "cross" for module in network.modules()}
    return found | {id(module): "encoder" for module in network.get_encoder().modules()}
