"""``Frozen``: a student whose encoder is as it is, and which reads each text once however many steps it is drawn in."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from slimlit.models import Pretrained
from slimlit.models.fingerprint import fingerprint

_READ: dict[str, dict[bytes, Tensor]] = {}  # hidden states by encoder and text, for all runs of this process


class Frozen(Pretrained):
    """A pretrained encoder with a fresh head, of which the head alone is trained.

    The same as ``freeze: [encoder]``, but that the encoder's dropout is off and that its hidden states are remembered.

    Args:
        of: a run, a folder, a bundled name or a hub name.
        pooling: how the head reads the hidden states.
    """

    def __init__(self, of: str, pooling: Any = "mean") -> None:
        super().__init__(of, pooling)

    def build(self, labels: Sequence[str], teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The model, its encoder frozen."""
        student = super().build(labels, teacher)
        student.encoder.requires_grad_(False)
        remember(student.encoder)
        return student


def remember(encoder: PreTrainedModel) -> None:
    """Make an encoder look up the texts it has read before."""
    known, read = _READ.setdefault(fingerprint(encoder), {}), encoder.forward

    def forward(input_ids: Tensor, attention_mask: Tensor, **rest: Any) -> BaseModelOutput:
        lengths = attention_mask.sum(1).tolist()
        keys = [row[:length].numpy().tobytes() for row, length in zip(input_ids, lengths, strict=True)]
        new = sorted(
            (length, row) for row, (key, length) in enumerate(zip(keys, lengths, strict=True)) if key not in known
        )
        for start in range(0, len(new), 64):
            rows = [row for _, row in new[start : start + 64]]
            longest = new[min(start + 64, len(new)) - 1][0]
            for row, states in zip(
                rows, _read(encoder, read, input_ids[rows, :longest], attention_mask[rows, :longest]), strict=True
            ):
                known[keys[row]] = states[: lengths[row]].clone()
        found = [known[key] for key in keys]
        states = torch.zeros(*input_ids.shape, found[0].shape[-1])
        for row, one in enumerate(found):
            states[row, : len(one)] = one
        return BaseModelOutput(last_hidden_state=states)

    encoder.forward = forward


@torch.no_grad()
def _read(encoder: PreTrainedModel, read: Callable[..., Any], input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    training = encoder.training
    encoder.eval()
    states: Tensor = read(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    encoder.train(training)
    return states.to(torch.bfloat16)
