"""How a student's pooling and heads stand, in numbers: how widely they look, how far they moved, which heads could go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.callbacks.artifacts import Cell
from slimlit.explain.heads import head_changes, head_distances, head_importance, nearest_other, spread
from slimlit.models import read
from slimlit.models.attention import mapped_attention
from slimlit.models.attention_watch import AttentionKind
from slimlit.tasks.base import Task
from slimlit.types import Batch, Output

Layers = Sequence[Float[Tensor, "batch _ tokens tokens"]]


@dataclass(frozen=True)
class Look:
    """One reading of a batch: what the student says, and the attention of its layers; none where it cannot be read."""

    output: Output
    layers: list[Tensor]
    kind: AttentionKind = "encoder"

    @property
    def maps(self) -> Float[Tensor, "layers batch heads tokens tokens"]:
        """All layers as one; where a layer has fewer heads than others, maps of zeros stand for those it lacks."""
        most = max(layer.shape[1] for layer in self.layers)
        padded = [torch.nn.functional.pad(layer, (0, 0, 0, 0, 0, most - layer.shape[1])) for layer in self.layers]
        return torch.stack(padded).float()


def look(task: Task, batch: Batch) -> Look:
    """Read the batch once, attention and all; the student is in eval mode, without gradients."""
    with mapped_attention(task.student) as maps:
        output = read(task.student, batch)
    kind: AttentionKind = "encoder" if "encoder" in maps else "decoder"
    return Look(output, list(maps.get(kind, [])), kind)


def pooling_numbers(
    weights: Float[Tensor, "batch heads tokens"], first: Float[Tensor, "batch heads tokens"], batch: Batch
) -> dict[str, float]:
    """Means over texts and pooling heads: spread of the weights, the largest, and the share moved since the first drawing."""
    seen = (batch["attention_mask"] * batch.get("pooling_mask", batch["attention_mask"])).bool()
    return {
        "attention/pooling_spread": float(spread(weights, seen.unsqueeze(1).expand_as(weights)).mean()),
        "attention/pooling_top": float(weights.amax(dim=-1).mean()),
        "attention/pooling_change": float(((weights - first).abs().sum(dim=-1) / 2).mean()),
    }


def heads_table(task: Task, batch: Batch, now: Look, first: Tensor) -> list[list[Cell]]:
    """A row for each head of each layer: importance to the task's loss, distance to its nearest double, spread, change."""
    maps, real = now.maps, batch["attention_mask"].bool()
    asked = _asked(batch, now.output.logits)

    def losses(given: Batch) -> Float[Tensor, " batch"]:
        return task.loss.combine(task.parts(given))

    importance = head_importance(task.student, asked, losses, {now.kind: (len(maps), maps.shape[2])})[now.kind]
    nearest = nearest_other(head_distances(maps, real))
    weights = real.float() / real.sum()
    rows = spread(maps, real[None, :, None, None, :].expand_as(maps))
    widely = (rows * weights[None, :, None, :]).sum(dim=(1, 3))
    changed = head_changes(maps, first.to(maps.device), real)
    columns = [part.tolist() for part in (importance, nearest, widely, changed)]
    return [
        [layer + 1, head + 1, *(column[layer][head] for column in columns)]
        for layer in range(len(maps))
        for head in range(now.layers[layer].shape[1])
    ]


def head_numbers(rows: Sequence[Sequence[Cell]]) -> dict[str, float]:
    """Means over heads, and the share of heads that have nine tenths of all importance."""
    columns = torch.tensor([[float(cast(float, cell)) for cell in row[2:]] for row in rows], dtype=torch.float64)
    shares = columns[:, 0].sort(descending=True).values.cumsum(0) / columns[:, 0].sum().clamp(min=1e-300)
    needed = int((shares < 0.9).sum()) + 1
    return {
        "attention/heads_needed": min(needed, len(rows)) / len(rows),
        "attention/head_distance": float(columns[:, 1].mean()),
        "attention/head_spread": float(columns[:, 2].mean()),
        "attention/head_change": float(columns[:, 3].mean()),
    }


def _asked(batch: Batch, logits: Float[Tensor, "batch *answers classes"]) -> Batch:
    """The batch with the student's own answers where a text has none."""
    labels, answers = batch["labels"], logits.argmax(dim=-1)
    if labels.dim() == 1:
        return cast(Batch, {**batch, "labels": torch.where(labels < 0, answers, labels)})
    unknown = (labels < 0).all(dim=1, keepdim=True) & batch["attention_mask"].bool()
    return cast(Batch, {**batch, "labels": torch.where(unknown, answers, labels)})
