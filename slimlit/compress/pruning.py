"""``prune``: a network with some of its parts, every weight that stays as it was."""

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from slimlit.compress.configurations import map_token_ids, smaller
from slimlit.compress.layouts import Layout, layout_of
from slimlit.compress.low_rank import lower_rank
from slimlit.compress.plans import Parts, Plan
from slimlit.models.architectures import base_config


@torch.no_grad()
def prune(network: PreTrainedModel, plan: Plan) -> PreTrainedModel:
    """A new network that has what the plan keeps of this one, in truly smaller matrices.

    Guarantees:
        - a plan that keeps everything gives the same logits, to the bit;
        - where what is taken away said nothing (heads and units whose outgoing weights are zero), the logits stay;
        - the network given is left as it is, and shares no memory with the new one;
        - no random number of torch is used up.

    Raises:
        ValueError: the plan does not fit the network.
    """
    if plan.embedding_size is not None:
        return lower_rank(prune(network, replace(plan, embedding_size=None)), plan.embedding_size)
    config = smaller(network.config, plan)
    with torch.random.fork_rng(devices=[]):
        small: PreTrainedModel = type(network)(config)
    layout, parts = layout_of(network.config), Parts.of(network.config)
    embedding = int(getattr(base_config(network.config), "embedding_size", None) or parts.hidden)
    weights, state = network.state_dict(), {}
    for name, own in small.state_dict().items():
        origin = _origin(name, layout, plan)
        weight = weights[origin if origin in weights else name]
        axes = layout.axes(origin, tuple(weight.shape), parts.hidden, embedding)
        for number, axis in enumerate(axes):
            kept = _kept(axis, origin, layout, plan, parts)
            if kept is not None:
                weight = weight.index_select(number, torch.tensor(kept, device=weight.device))
        if weight.shape != own.shape:
            raise ValueError(
                f"{name} would be {tuple(weight.shape)}, and a {config.model_type} of that configuration has {tuple(own.shape)}\n"
                "leave this part whole: how it is laid out is not known well enough"
            )
        state[name] = weight
    small.load_state_dict(state)
    if network.can_generate():
        small.generation_config = copy.deepcopy(network.generation_config)
        if plan.words is not None:
            map_token_ids(small.generation_config, plan.words)
    return small.train(network.training)


def _origin(name: str, layout: Layout, plan: Plan) -> str:
    """The name, in the whole network, of the weight that a weight of the small one comes from."""
    found = layout.find_layer(name)
    if found is None or found[0].side not in plan.layers or "relative_attention_bias" in name:
        return name  # T5's first layer alone knows the distances, for all
    place, rest = found
    start = name[: len(name) - len(rest)] if rest else name
    head, _, _ = start.rstrip(".").rpartition(".")
    return f"{head}.{plan.layers[place.side][place.number - 1] - 1}.{rest}"


def _kept(axis: str, name: str, layout: Layout, plan: Plan, parts: Parts) -> list[int] | None:
    """The rows of an axis that stay; None where all do."""
    times, _, kind = axis.rpartition("*")
    found = layout.find_layer(name)
    kept: list[int] | None = None
    total = 0
    if kind == "words":
        return plan.words
    if kind == "hidden":
        kept, total = plan.hidden, parts.hidden
    elif kind == "feed" and found is not None:
        kept, total = plan.feed_forward.get(found[0].key("feed")), parts.feed_forward[found[0].side]
    elif kind in ("self", "cross", "shared", "heads") and found is not None:
        heads = plan.heads.get(found[0].key("cross" if kind == "cross" else "self"))
        if kind == "heads":  # T5's distances: one table for all layers, which all keep the same heads
            return next(
                (one for key, one in plan.heads.items() if key.startswith(found[0].side) and key.endswith("self")), None
            )
        total = parts.heads[found[0].side]
        if heads is not None and kind == "shared" and parts.shared_heads is not None:
            heads = sorted({head * parts.shared_heads // total for head in heads})
            total = parts.shared_heads
        if heads is None:
            return None
        kept = [head * parts.head_dim + place for head in heads for place in range(parts.head_dim)]
        total *= parts.head_dim
    if kept is None:
        return None
    return [block * total + place for block in range(int(times or 1)) for place in kept]


def count(network: PreTrainedModel) -> tuple[int, int]:
    """The numbers in a network, tied ones once, and the bytes they take."""
    tensors: dict[int, Any] = {tensor.data_ptr(): tensor for tensor in network.state_dict().values()}
    return sum(map(Tensor.numel, tensors.values())), sum(one.numel() * one.element_size() for one in tensors.values())
