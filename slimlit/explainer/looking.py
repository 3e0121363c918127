"""``look``: one pass over the texts of some questions: what a network says, what its pooling weighs, where its layers looked."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.explain.method import Method
from slimlit.explain.methods.pooling import can_share, pooling_share, shares_of_asked
from slimlit.explain.question import Question, answer, distinct, take
from slimlit.explain.records import AttentionPart
from slimlit.explain.words import map_between_words
from slimlit.explainer.asked import Asked
from slimlit.models import PreTrainedModel, read
from slimlit.models.attention import mapped_attention
from slimlit.models.attention_watch import Maps
from slimlit.types import Batch

_NAMES = {"encoder": "attention", "decoder": "attention to what came before", "cross": "attention to the text"}


@dataclass(frozen=True)
class Look:
    """What was seen, a text of several questions read once.

    Args:
        logits: of what each question asks.
        pooling_weights: of each token, the mean over pooling heads, where a pooling weighs them.
        shares: of each token in each logit, where the network is linear after its pooling.
        maps: attention by kind and layer, a row a text.
        text_of: the text of each question.
    """

    logits: Float[Tensor, "batch classes"]
    pooling_weights: Float[Tensor, "batch tokens"] | None
    shares: Float[Tensor, "batch tokens classes"] | None
    maps: Maps
    text_of: Int[Tensor, " batch"]


def look(network: PreTrainedModel, batch: Batch, question: Question, with_maps: bool) -> Look:
    """Read the texts of a batch once."""
    texts, text_of = distinct(batch)
    weights = shares = None
    with ExitStack() as watching:
        watching.enter_context(torch.no_grad())
        maps: Maps = watching.enter_context(mapped_attention(network)) if with_maps else {}
        if question.places is None:
            output = read(network, take(batch, texts), frozenset({"shares"} if can_share(network) else ()))
            logits = output.logits.float()[text_of]
            weights = None if output.pooling_weights is None else output.pooling_weights.float().mean(dim=1)[text_of]
            shares = None if output.shares is None else output.shares[text_of]
        else:
            logits = answer(network, take(batch, texts), question, text_of)
        found = {kind: [layer.float().cpu() for layer in layers] for kind, layers in maps.items()}
    return Look(logits, weights, shares, found, text_of)


def heats_of(
    network: PreTrainedModel, methods: Mapping[str, Method], batch: Batch, question: Question, seen: Look
) -> dict[str, Float[Tensor, "batch inputs"]]:
    """Each method's numbers; the pooling's shares were seen already.

    Raises:
        ValueError: a method that cannot read the network.
    """
    return {
        name: shares_of_asked(seen.shares, batch, question)
        if method is pooling_share and seen.shares is not None
        else method(network, batch, question).detach().float()
        for name, method in methods.items()
    }


def attention_parts(seen: Look, row: int, asked: Asked) -> list[AttentionPart]:
    """Where the network looked in the text of a row, layer by layer, word to word."""
    text_row, (num_read, num_written) = int(seen.text_of[row]), asked.lengths
    split = next((at for at, word in enumerate(asked.words) if word.tokens[0] >= num_read), len(asked.words))
    text = asked.words[:split]
    later = [replace(word, tokens=tuple(token - num_read for token in word.tokens)) for word in asked.words[split:]]
    both = {"encoder": (text, text), "cross": (later, text), "decoder": (later, later) if later else (text, text)}
    sizes = {id(text): num_read, id(later): num_written}
    ends = {id(text): (0, split), id(later): (split, len(asked.words))}
    parts = []
    for kind, layers in seen.maps.items():
        rows, columns = both[kind]
        own = [layer[text_row, :, : sizes[id(rows)], : sizes[id(columns)]] for layer in layers]
        weights = _stacked([map_between_words(layer, rows, columns) for layer in own]).numpy()
        parts.append(AttentionPart(_NAMES[kind], weights, ends[id(rows)], ends[id(columns)]))
    return parts


def _stacked(layers: Sequence[Tensor]) -> Float[Tensor, "layers heads rows columns"]:
    """Layers of fewer heads than others get empty ones."""
    most = max(len(layer) for layer in layers)
    return torch.stack([torch.nn.functional.pad(layer, (0, 0, 0, 0, 0, most - len(layer))) for layer in layers])
