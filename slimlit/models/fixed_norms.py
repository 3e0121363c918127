"""``fixed_norms``: the scale that a layer normalisation divides by counts as given, so that it is linear in what it reads."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class fixed_norms(TorchFunctionMode):  # noqa: N801 (a context, used like a function)
    """Within the block, no gradient flows through the scale of LayerNorm or RMSNorm; what they give is the same up to rounding.

    Catches the functions norms are made of, by whichever class: ``layer_norm``, ``rms_norm``, and ``rsqrt`` or a power of
    -1/2, which architectures that write out their norm take of its mean square.

    Guarantees:
        - a norm is linear in its input up to its bias: input times gradient is output minus bias.

    Source: Ali et al. 2022, XAI for Transformers: Better Explanations through Conservative Propagation, arXiv:2202.07304,
    section 3.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run a function of torch, or what stands for it here."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.layer_norm:
            return _layer_norm(*args, **kwargs)
        if func is torch.nn.functional.rms_norm:
            return _rms_norm(*args, **kwargs)
        found = func(*args, **kwargs)
        if func in _ROOTS or (func in _POWERS and isinstance(args[1], float) and args[1] == -0.5):
            return found.detach()
        return found


_ROOTS = (torch.rsqrt, Tensor.rsqrt)
_POWERS = (torch.pow, Tensor.pow, Tensor.__pow__)


def _layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    wide = input.float()
    centred = wide - wide.mean(axes, keepdim=True)
    scale = (wide.detach().var(axes, correction=0, keepdim=True) + eps).rsqrt()
    return _scaled(centred * scale, weight, bias).to(input.dtype)


def _rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    eps = torch.finfo(input.dtype).eps if eps is None else eps
    wide = input.float()
    scale = (wide.detach().pow(2).mean(axes, keepdim=True) + eps).rsqrt()
    return _scaled(wide * scale, weight, None).to(input.dtype)


def _scaled(normal: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = normal if weight is None else normal * weight
    return scaled if bias is None else scaled + bias
