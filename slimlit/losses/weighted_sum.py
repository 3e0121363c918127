"""``WeightedSum``: several losses as one, its parts logged by name."""

import difflib
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from slimlit.losses.base import Loss
from slimlit.types import Batch, Configured, Output


class WeightedSum(Loss):
    """``L_b = sum over names of weight * loss_b``; each part is logged under its name, before its weight.

    Guarantees:
        - a part of weight 0 is not computed, and neither is what it alone would need.

    Args:
        losses: the parts by name.
        weights: their weights; 1 where not given.

    Raises:
        ValueError: no parts, or a weight for a part that is not there.
    """

    def __init__(self, losses: dict[str, Loss], weights: dict[str, float] | None = None) -> None:
        super().__init__()
        if not losses:
            raise ValueError("WeightedSum got no losses\nexpected names and losses: {hard: ..., soft: ...}")
        weights = weights or {}
        for name in weights:
            if name not in losses:
                near = difflib.get_close_matches(name, losses, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ValueError(
                    f"WeightedSum has a weight for {name!r} and no such loss\n{hint}losses: {', '.join(losses)}"
                )
        self.weights = {name: weights.get(name, 1.0) for name in losses if weights.get(name, 1.0) != 0.0}
        if not self.weights:
            raise ValueError("every weight of WeightedSum is 0, so there is nothing to minimise\nset one above 0")
        self.losses = nn.ModuleList(
            losses[name] for name in self.weights
        )  # a ModuleDict refuses names such as "values"
        self.student_needs = frozenset().union(*(loss.student_needs for loss in self._parts().values()))
        self.teacher_needs = frozenset().union(*(loss.teacher_needs for loss in self._parts().values()))
        told = [loss.num_words for loss in self._parts().values() if loss.num_words is not None]
        self.num_words = min(told, default=None)

    def _parts(self) -> dict[str, Loss]:
        return {name: cast(Loss, loss) for name, loss in zip(self.weights, self.losses, strict=True)}

    def prepare(self, student: Configured, teacher: Configured | None) -> None:
        """Prepare every part."""
        for loss in self._parts().values():
            loss.prepare(student, teacher)

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The weighted sum of each example."""
        return self.combine(self.parts(student, teacher, batch))

    def parts(self, student: Output, teacher: Output | None, batch: Batch) -> dict[str, Float[Tensor, " batch"]]:
        """Every part by name, unweighted."""
        return {name: loss(student, teacher, batch) for name, loss in self._parts().items()}

    def combine(self, parts: dict[str, Float[Tensor, " batch"]]) -> Float[Tensor, " batch"]:
        """The weighted sum of the parts."""
        return torch.stack([weight * parts[name] for name, weight in self.weights.items()]).sum(dim=0)
