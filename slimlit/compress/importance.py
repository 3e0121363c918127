"""How much each head, feed-forward unit, hidden unit and layer of a network matters: by gradients, activations, attention, or by weights alone."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from slimlit.compress.confidence import confidence
from slimlit.compress.layouts import Layout, Place, layers_of, layout_of, readers_of
from slimlit.compress.plans import Parts
from slimlit.models.attention import mapped_attention
from slimlit.models.attention_watch import AttentionKind, Maps
from slimlit.models.head_slopes import head_slopes
from slimlit.types import Batch

Score = Literal["taylor", "activation", "attention", "weights"]
HIDDEN = "hidden"


@dataclass
class Scores:
    """A number for every part; the larger, the more it matters. Only parts of one kind can be compared.

    Args:
        parts: by the key of an attention or feed-forward layer the scores of its heads or units, and of ``hidden`` those of
            the hidden units.
        layers: of each layer, by stack; empty where weights alone were read, which say nothing of that.
        num_examples: read.
    """

    parts: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, Tensor] = field(default_factory=dict)
    num_examples: int = 0

    def add(self, key: str, score: Tensor) -> None:
        """Add to what is known of a part."""
        self.parts[key] = self.parts[key] + score if key in self.parts else score


def by_weights(network: PreTrainedModel) -> Scores:
    """Scores that read no text: the norm of what leaves a head, unit or hidden unit by its weights alone."""
    layout, parts, found = layout_of(network.config), Parts.of(network.config), Scores()
    with torch.no_grad():
        for key, kind, reader in readers_of(network, layout):
            norms = _columns(reader, layout).double().square()
            found.add(key, norms if kind == "feed" else norms.view(-1, parts.head_dim).sum(1))
            found.add(HIDDEN, _columns(reader, layout, written=True).double().square())
    return found


def by_texts(
    network: PreTrainedModel,
    batches: Iterable[Batch],
    losses: Callable[[Batch], Float[Tensor, " batch"]],
    score: Score = "taylor",
) -> Scores:
    """Scores over texts.

    With ``taylor``, a part's score is the mean over examples of ``|dL / dg|``, where ``g`` is a gate of 1 that all the part
    says is multiplied with: to first order, how far the loss moves when the part is taken away. With ``activation`` it is
    the mean size of what the part adds (heads: the norm they write; units and hidden units: their absolute value; layers:
    one minus the cosine between what enters and what leaves). With ``attention`` a head's is how surely it looks at one token
    (:func:`~slimlit.compress.confidence.confidence`); other parts have no attention, and are scored by ``activation``.

    Guarantees:
        - an example's share of the scores is its own: it does not depend on the batch it came in;
        - the network is left as it was, without a gradient.

    Args:
        network: to score, without dropout.
        batches: of texts.
        losses: of each example of a batch, by this network.
        score: which.

    Source: Michel, Levy, Neubig 2019, arXiv:1905.10650; Molchanov et al. 2019, arXiv:1906.10771; Voita et al. 2019, arXiv:1905.09418.
    """
    was_training, wanted = network.training, {one: one.requires_grad for one in network.parameters()}
    network.eval().requires_grad_(False)  # the gates of the first heads are behind all else that is watched
    watched = _Watched(network, score)
    try:
        with ExitStack() as hooks:
            watched.hang(hooks)
            maps = hooks.enter_context(mapped_attention(network)) if score == "attention" else {}
            for batch in batches:
                watched.batch = batch
                if score == "taylor":
                    watched.score_heads(losses)
                else:
                    losses(batch)
                    watched.score_attention(maps)
                watched.scores.num_examples += len(batch["input_ids"])
    finally:
        for one, before in wanted.items():
            one.requires_grad_(before)
        network.train(was_training)
    return watched.scores


class _Watched:
    """The hooks that score while a network runs."""

    def __init__(self, network: PreTrainedModel, score: Score) -> None:
        self.network, self.score, self.by_gradient = network, score, score == "taylor"
        self.layout, self.sizes = layout_of(network.config), Parts.of(network.config)
        self.scores = Scores()
        self.batch: Batch

    @property
    def sides(self) -> dict[AttentionKind, str]:
        """The stack that each kind of attention is in; the only stack of a network may read as an encoder or as a decoder."""
        if "layers" in self.sizes.layers:
            return {"encoder": "layers", "decoder": "layers"}
        return {"encoder": "encoder", "decoder": "decoder", "cross": "decoder"}

    def score_heads(self, losses: Callable[[Batch], Float[Tensor, " batch"]]) -> None:
        """Run a batch forwards and backwards, and add what the slopes of the heads' gates say of them."""
        shapes = {kind: (self.sizes.layers[side], self.sizes.heads[side]) for kind, side in self.sides.items()}
        for kind, slopes in head_slopes(self.network, self.batch, losses, shapes).items():
            for number, slope in enumerate(slopes.double().abs().sum(dim=1)):
                place = Place(self.sides[kind], number + 1)
                self.scores.add(place.key("cross" if kind == "cross" else "self"), slope)

    def score_attention(self, maps: Maps) -> None:
        """Add what the maps of a batch that was read say of the heads."""
        for kind, layers in maps.items():
            for number, attention in enumerate(layers):
                place = Place(self.sides[kind], number + 1)
                queries, keys = (
                    self._real(attention.new_empty(len(attention), size, 1))[..., 0] > 0 for size in attention.shape[2:]
                )
                found = confidence(attention.detach().double(), queries, keys).sum(dim=0)
                self.scores.add(place.key("cross" if kind == "cross" else "self"), found)

    def hang(self, hooks: ExitStack) -> None:
        for key, kind, reader in readers_of(self.network, self.layout):
            if kind != "feed" and self.score != "activation":
                continue  # their gates, or their attention, say it
            hook = reader.register_forward_pre_hook(self._reading(key, kind))
            hooks.callback(hook.remove)
        for place, layer in layers_of(self.network, self.layout):
            hook = layer.register_forward_hook(self._passing(place.side, place.number), with_kwargs=True)
            hooks.callback(hook.remove)

    def _reading(self, key: str, kind: str) -> Callable[[nn.Module, Any], None]:
        def watch(reader: nn.Module, inputs: Any) -> None:
            said = inputs[0]
            if self.by_gradient:
                said.register_hook(lambda slope: self._add(key, kind, (said.detach() * slope).sum(1).double()))
                return
            norms = _columns(reader, self.layout)
            if kind == "feed":
                self._add(key, kind, (said.detach().abs() * norms * self._real(said)).sum(1).double())
            else:
                self._add(key, kind, ((said.detach() * norms).square() * self._real(said)).sum(1).double())

        return watch

    def _add(self, key: str, kind: str, said: Float[Tensor, "batch units"]) -> None:
        if kind in ("self", "cross"):
            said = said.view(len(said), -1, self.sizes.head_dim).sum(2).sqrt()
        self.scores.add(key, said.abs().sum(0))

    def _passing(self, side: str, number: int) -> Callable[..., None]:
        def watch(layer: nn.Module, inputs: Any, settings: Any, output: Any) -> None:
            entered = inputs[0] if inputs else settings["hidden_states"]
            left = output[0] if isinstance(output, tuple) else output
            if self.by_gradient:
                left.register_hook(lambda slope: self._add_layer(side, number, left, (left - entered).detach() * slope))
                left.register_hook(
                    lambda slope: self.scores.add(HIDDEN, (left.detach() * slope).sum(1).double().abs().sum(0))
                )
                return
            real = self._real(left)
            self.scores.add(HIDDEN, (left.detach().abs() * real).sum((0, 1)).double())
            change = 1.0 - nn.functional.cosine_similarity(entered.detach(), left.detach(), dim=-1).unsqueeze(-1)
            self._add_layer(side, number, left, (change * real / real.sum(1, keepdim=True).clamp(min=1)))

        return watch

    def _add_layer(self, side: str, number: int, left: Tensor, change: Tensor) -> None:
        depth = self.sizes.layers[side]
        known = self.scores.layers.setdefault(side, torch.zeros(depth, dtype=torch.double, device=left.device))
        known[number - 1] += change.detach().double().sum((1, 2)).abs().sum()

    def _real(self, said: Tensor) -> Tensor:
        """1 on real tokens, of whichever side these are."""
        masks = (self.batch["attention_mask"], self.batch.get("decoder_attention_mask"))
        for mask in masks:
            if mask is not None and mask.shape == said.shape[:2]:
                return mask.unsqueeze(-1)
        return torch.ones_like(said[..., :1])


def _columns(reader: Any, layout: Layout, written: bool = False) -> Tensor:
    """The norm of each column that a linear map reads, or of each row that it writes."""
    weight: Tensor = reader.weight.detach()
    norms: Tensor = weight.norm(dim=int(written) if not layout.turned else int(not written))
    return norms
