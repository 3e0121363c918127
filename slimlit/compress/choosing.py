"""``choose``: which parts stay, by their scores: as many in every layer, so that a stock configuration can say it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from slimlit.compress.importance import HIDDEN, Scores
from slimlit.compress.plans import Parts, Plan
from slimlit.models import SequenceClassifierConfig
from slimlit.models.narrow_attention import NARROWABLE


@dataclass(frozen=True)
class Shares:
    """What share of each kind of part to take away, 0 to 1."""

    heads: float = 0.0
    feed_forward: float = 0.0
    hidden: float = 0.0
    layers: float = 0.0

    def __post_init__(self) -> None:
        for name, share in vars(self).items():
            if not 0.0 <= share < 1.0:
                raise ValueError(f"--{name} is {share}; expected the share to take away: 0 or more, and less than 1")


def choose(config: PreTrainedConfig, scores: Scores, shares: Shares) -> Plan:
    """The plan that keeps the parts with the largest scores.

    Heads that share keys and values stay or go together. Where a head is hidden size over heads wide, as of a BERT that
    tags, width and heads go together, by the share of ``hidden``.

    Guarantees:
        - as many heads, and as many feed-forward units, stay in each layer; one of each at least;
        - a share of 0 keeps everything.

    Raises:
        ValueError: the shares take away nothing, or heads that the architecture cannot be without.
    """
    parts = Parts.of(config)
    layers: dict[str, list[int]] = {}
    for side, depth in parts.layers.items():
        if shares.layers:
            layers[side] = [number + 1 for number in _layers(scores.layers.get(side), depth, shares.layers)]
    share = shares.heads
    if shares.hidden and _is_tied(config, parts):
        share = max(share, shares.hidden)
    elif share and _is_tied(config, parts) and not _can_narrow(config):
        raise ValueError(
            f"a {config.model_type}'s config.json cannot say that it has fewer heads of the same width\n"
            f"take as much of its width with them: --hidden {shares.heads}; or leave --heads out"
        )
    heads: dict[str, list[int]] = {}
    feed: dict[str, list[int]] = {}
    for key in parts.attentions():
        if share:
            heads[key] = _heads(scores, key, parts, share, is_alike=config.model_type in ("t5", "mt5"))
    for place in parts.places():
        if shares.feed_forward:
            key = place.key("feed")
            feed[key] = _best(scores.parts[key], _left(parts.feed_forward[place.side], shares.feed_forward))
    kept = {key for side, numbers in layers.items() for number in numbers for key in _keys(side, number)}
    if layers:
        heads = {key: numbers for key, numbers in heads.items() if key in kept}
        feed = {key: numbers for key, numbers in feed.items() if key in kept}
    hidden = None
    if shares.hidden:
        width = _left(parts.hidden, shares.hidden)
        if _is_tied(config, parts):
            width = len(next(iter(heads.values()))) * parts.head_dim
        hidden = _best(scores.parts[HIDDEN], width)
    return Plan(layers, heads, feed, hidden)


def _keys(side: str, number: int) -> list[str]:
    return [f"{side}.{number}.{part}" for part in ("self", "cross", "feed")]


def _is_tied(config: PreTrainedConfig, parts: Parts) -> bool:
    """Whether heads are as wide as hidden size over heads, and no setting says otherwise."""
    if config.model_type in ("t5", "mt5") or parts.shared_heads is not None:
        return False
    return all(number * parts.head_dim == parts.hidden for number in parts.heads.values())


def _can_narrow(config: PreTrainedConfig) -> bool:
    return isinstance(config, SequenceClassifierConfig) and config.encoder.model_type in NARROWABLE


def _left(total: int, share: float) -> int:
    return max(1, round(total * (1.0 - share)))


def _best(scores: Tensor, count: int) -> list[int]:
    """The places of the largest scores, in order; of equal ones the first."""
    found: list[int] = torch.sort(scores, descending=True, stable=True).indices[:count].sort().values.tolist()
    return found


def _heads(scores: Scores, key: str, parts: Parts, share: float, is_alike: bool) -> list[int]:
    side, _, kind = key.split(".")
    total = parts.heads[side]
    own = scores.parts[key]
    if is_alike:  # T5's distances are one table for the heads of all layers
        alike: list[Any] = [
            one for name, one in scores.parts.items() if name.startswith(f"{side}.") and name.endswith(kind)
        ]
        own = sum(one / one.sum().clamp(min=1e-30) for one in alike)
    if parts.shared_heads is None or parts.shared_heads in (1, total):
        return _best(own, _left(total, share))
    each = total // parts.shared_heads
    groups = _best(own.view(-1, each).sum(1), _left(parts.shared_heads, share))
    return [group * each + number for group in groups for number in range(each)]


def _layers(scores: Tensor | None, depth: int, share: float) -> list[int]:
    count = _left(depth, share)
    if scores is not None:
        return _best(scores, count)
    return sorted({round(place) for place in torch.linspace(0, depth - 1, count).tolist()})
