"""``FineLinear``: a linear map of int8 weights and 16 bits of what it reads, out of a runtime's product of 8 by 8 bits."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class FineLinear(nn.Module):
    """Two roundings, one product: the integers of what is read, under them what they leave, 254 times as finely.

    ``x W = s (q W + r W / 254)``, with ``s = max|x| / 127``, ``q = round(x / s)`` and ``r = 254 (x / s - q)``.

    A runtime that rounds each row between its own ends (``(max - min) / 255``) would round anew what is whole already. So two
    channels of weight zero are read too, 127 and -128: between them the step is 1 and integers stay.

    Args:
        linear: the map; it is copied, two channels wider.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = nn.Linear(linear.in_features + 2, linear.out_features, bias=False, device="meta")
        self.linear.weight = nn.Parameter(nn.functional.pad(linear.weight.detach(), (0, 2)), requires_grad=False)
        self.register_buffer("ends", torch.tensor([127.0, -128.0]))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach())

    ends: Tensor
    bias: Tensor | None

    def forward(self, x: Float[Tensor, "1 tokens inputs"]) -> Float[Tensor, "1 tokens outputs"]:
        """The map."""
        scale = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / 127
        steps = x / scale
        whole = torch.round(steps)
        both = torch.cat([whole, (steps - whole) * 254], dim=0)
        found: Tensor = self.linear(torch.cat([both, self.ends.expand(2, x.shape[1], 2)], dim=-1))
        product = (found[:1] + found[1:] / 254) * scale
        return product if self.bias is None else product + self.bias
