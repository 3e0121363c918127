"""``look``: one pass over the texts of some questions: what the student says, what its pooling weighs, where its layers looked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.explain.question import answer, distinct, take
from slimlit.explain.records import AttentionPart
from slimlit.explain.words import map_between_words
from slimlit.explainer.asked import Asked, Chunk
from slimlit.explainer.networks import Networks
from slimlit.models import read
from slimlit.models.attention import mapped_attention
from slimlit.models.attention_watch import Maps

_NAMES = {"encoder": "attention", "decoder": "attention to what came before", "cross": "attention to the text"}


@dataclass(frozen=True)
class Look:
    """What was seen; a text of several questions was read once, ``text_of`` says which of the read ones each question's is.

    ``first`` are the rows of the batch that were read.
    """

    logits: Float[Tensor, "batch classes"]
    pooling_weights: Float[Tensor, "batch tokens"] | None
    maps: Maps
    first: Int[Tensor, " texts"]
    text_of: Int[Tensor, " batch"]
    num_tokens: int


def look(networks: Networks, chunk: Chunk) -> Look:
    """Read the texts of a chunk once."""
    student, (texts, text_of) = networks.student, distinct(chunk.batch)
    batch, weights = take(chunk.batch, texts), None
    with torch.no_grad(), mapped_attention(student) as maps:
        if networks.kind == "sequence_classification":
            output = read(student, batch)
            logits, weights = output.logits.float()[text_of], output.pooling_weights
        else:
            logits = answer(student, batch, chunk.question, text_of)
        found = {kind: [layer.float().cpu() for layer in layers] for kind, layers in maps.items()}
    weights = None if weights is None else weights.float().mean(dim=1)[text_of]
    return Look(logits, weights, found, texts, text_of, chunk.batch["input_ids"].shape[1])


def attention_parts(seen: Look, row: int, asked: Asked) -> list[AttentionPart]:
    """Where the student looked in the text of a row, layer by layer, word to word."""
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
