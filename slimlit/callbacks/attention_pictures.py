"""Pictures and tables of where a student looked: pooling weights over words, layers as maps of word to word, heads as numbers."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.callbacks.artifacts import Cell
from slimlit.callbacks.attention_page import UNSCORED
from slimlit.callbacks.fixed_examples import Example
from slimlit.explain.heat_map import draw_heat_maps
from slimlit.explain.word_strip import draw_word_strips
from slimlit.explain.words import map_by_word, sum_by_word
from slimlit.types import Batch, Output

COLUMNS = ("example_id", "label", "predicted", "head", "position", "word", "weight")
HEADS = ("layer", "head", "importance", "distance to the nearest head", "spread", "change")


def draw_pooling(number: int, example: Example, heading: str, says: str, output: Output, batch: Batch) -> str:
    """The text once for each pooling head, its words shaded by their weight."""
    weights = _by_word(number, example, output).numpy()
    hidden: set[int] = set()
    if "pooling_mask" in batch:
        seen = batch["pooling_mask"][number].tolist()
        hidden = {place for place, word in enumerate(example.words) if not any(seen[token] for token in word.tokens)}
    strips = {f"pooling head {head + 1}": weights[head] for head in range(len(weights))}
    lines = [f"label: {example.label}, {says}"]
    caption = f"where the pooling looked ({UNSCORED})"
    return draw_word_strips(heading, lines, example.words, strips, caption, hidden)


def draw_layer(example: Example, heading: str, layer: int, attention: Float[Tensor, "heads tokens tokens"]) -> str:
    """Where each word looked, head by head."""
    num_tokens = sum(len(word.tokens) for word in example.words)
    maps = map_by_word(attention[:, :num_tokens, :num_tokens].float().cpu(), example.words).numpy()
    names = [word.text for word in example.words]
    return draw_heat_maps(
        f"{heading}, layer {layer}",
        {f"head {head + 1}": maps[head] for head in range(len(maps))},
        names,
        names,
        f"where each word (row) looked in layer {layer} ({UNSCORED})",
        least=3.0 / max(1, len(names)),
    )


def draw_heads(heading: str, rows: Sequence[Sequence[Cell]]) -> str:
    """What :data:`HEADS` says of every head, as maps of layers (rows) and heads (columns)."""
    table = np.asarray([[float(cell or 0.0) for cell in row] for row in rows])
    layers, heads = int(table[:, 0].max()), int(table[:, 1].max())
    importance, distance, spread, change = table[:, 2:].T.reshape(4, layers, heads)
    maps = {
        "importance, of all": importance / max(float(importance.sum()), 1e-30),
        "likeness to nearest": 1.0 - distance,
        "spread": spread,
        "change": change,
    }
    names = [str(number + 1) for number in range(max(layers, heads))]
    caption = "rows: layers, columns: heads; those of little importance, or much like another, are the first to prune"
    return draw_heat_maps(heading, maps, names[:layers], names[:heads], caption)


def predicted_label(output: Output, number: int, labels: Sequence[str]) -> tuple[str, str]:
    """The student's label of a text, and what it says in words."""
    if output.logits.dim() == 3:
        return "", "student: a tag a word"
    probabilities = torch.softmax(output.logits[number].float(), dim=-1)
    best = int(probabilities.argmax())
    return labels[best], f"student: {labels[best]} ({float(probabilities[best]):.2f})"


def weights_table(number: int, example: Example, predicted: str, output: Output) -> list[list[Cell]]:
    """The pooling weight of every word, by head: rows of :data:`COLUMNS`."""
    weights = _by_word(number, example, output).tolist()
    return [
        [example.row, example.label, predicted, head + 1, place, word.text, weights[head][place]]
        for head in range(len(weights))
        for place, word in enumerate(example.words)
    ]


def _by_word(number: int, example: Example, output: Output) -> Float[Tensor, "heads words"]:
    assert output.pooling_weights is not None
    num_tokens = sum(len(word.tokens) for word in example.words)
    return sum_by_word(output.pooling_weights[number, :, :num_tokens].float().cpu(), example.words)
