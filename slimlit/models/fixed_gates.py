"""``fixed_gates``: in a gated layer, ``activation(g) * u``, the gate counts as given, so that the layer is linear in ``u``."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from transformers import PreTrainedModel

_ACTIVATIONS = ("torch.nn.modules.activation", "transformers.activations")
_PRODUCTS = (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__)


@contextmanager
def fixed_gates(network: PreTrainedModel) -> Iterator[None]:
    """Within the block, no gradient flows through what an activation says where it multiplies another state.

    So are the feed-forward layers of Llama, Gemma, ModernBERT and T5 1.1 made; plain ones (BERT's, GPT-2's) stay as they are.

    Guarantees:
        - what the network says is the same;
        - a gated layer without bias is linear: input times gradient is its output, not twice that.

    Source: Arras et al. 2017, Explaining Recurrent Neural Network Predictions in Sentiment Analysis, arXiv:1706.07206,
    section 3 (multiplicative interactions: the gate gets nothing, the signal all).
    """
    products = _Products()
    activations = (part for part in network.modules() if type(part).__module__ in _ACTIVATIONS)
    hooks = [part.register_forward_hook(products.keep) for part in activations]
    try:
        with products:
            yield
    finally:
        for hook in hooks:
            hook.remove()


class _Products(TorchFunctionMode):
    """Detaches what the last activation said from products with it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: Tensor | None = None

    def keep(self, _: Any, inputs: Any, output: Tensor) -> None:
        self.said = output

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _PRODUCTS and self.said is not None and any(part is self.said for part in args):
            args = tuple(part.detach() if part is self.said else part for part in args)
        return func(*args, **(kwargs or {}))
