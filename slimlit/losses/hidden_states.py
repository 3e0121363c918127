"""``HiddenStates``: the student's hidden states near the teacher's, through a learned projection where widths differ."""

from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from slimlit.losses.base import Loss, teacher_of
from slimlit.models.reading import depth
from slimlit.types import Batch, Configured, Output


class HiddenStates(Loss):
    """Mean squared distance between hidden states of paired layers, one number per example.

    ``L_b = mean over pairs (s, t) of 1 / (|x_b| width) sum_{i in x_b} ||P_st h^S_{s,i} - h^T_{t,i}||^2``, where ``x_b``
    are the example's own tokens (the decoder's, where there is one) and ``P`` is the identity where widths are equal.

    Guarantees:
        - never reads a padded token; never mixes two examples.

    Args:
        pairs: ``[student layer, teacher layer]`` pairs; layers count from 1, and 0 is what enters layer 1.

    Source: Jiao et al. 2020 (TinyBERT), arXiv:1909.10351, equation 8.
    """

    def __init__(self, pairs: list[tuple[int, int]]) -> None:
        super().__init__()
        if not pairs:
            raise ValueError("HiddenStates got no pairs\nexpected [student layer, teacher layer] pairs: [[3, 6]]")
        self.pairs = [(int(ours), int(theirs)) for ours, theirs in pairs]
        self.student_needs = frozenset(f"hidden_states.{ours}" for ours, _ in self.pairs)
        self.teacher_needs = frozenset(f"hidden_states.{theirs}" for _, theirs in self.pairs)
        self.projections = nn.ModuleList()

    def prepare(self, student: Configured, teacher: Configured | None) -> None:
        """Check the layers and make a projection for each pair, where widths differ.

        Raises:
            ValueError: no teacher, or a layer that a network does not have.
        """
        ours, theirs = student.config, teacher_of(self, teacher).config
        for layer, deepest, role in [
            *((mine, depth(ours), "student") for mine, _ in self.pairs),
            *((other, depth(theirs), "teacher") for _, other in self.pairs),
        ]:
            if not 0 <= layer <= deepest:
                raise ValueError(
                    f"HiddenStates pairs layer {layer} of a {role} of {deepest} layers\nexpected 0 to {deepest}"
                )
        if ours.hidden_size != theirs.hidden_size:
            make = [nn.Linear(ours.hidden_size, theirs.hidden_size, bias=False) for _ in self.pairs]
            self.projections = nn.ModuleList(make)

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Float[Tensor, " batch"]:
        """The mean squared distance of each example."""
        target = teacher_of(self, teacher)
        real = batch.get("decoder_attention_mask", batch["attention_mask"]).bool()
        total = torch.zeros(len(real), device=real.device)
        for number, (ours, theirs) in enumerate(self.pairs):
            states = _without_padding(student.hidden_states[ours], real)
            if len(self.projections):
                projection = cast(nn.Linear, self.projections[number])
                with torch.autocast(real.device.type, enabled=False):
                    states = projection(states.to(projection.weight.dtype)).float()
            distance = (states - _without_padding(target.hidden_states[theirs], real)).square().mean(dim=-1)
            total = total + distance.sum(dim=-1) / real.sum(dim=-1).clamp(min=1)
        return total / len(self.pairs)


def _without_padding(
    states: Float[Tensor, "batch tokens width"], real: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens width"]:
    """In float32, with zeros in the place of padding, so that not even its gradient is read."""
    return states.float().masked_fill(~real[:, :, None], 0.0)
