"""``quantise``: a network with weights of 8 or 4 bits; and ``feel_rounding``, a network that trains as if it had them."""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from slimlit.models.quantised import Activations, QuantisedConfig, Quantiser, quantisable, replace_modules
from slimlit.models.rounding import Bits, quantise_tokens, rounded
from slimlit.models.seen_words import SeenWords


@torch.no_grad()
def quantise(network: PreTrainedModel, bits: Bits = 8, activations: Activations = "float") -> PreTrainedModel:
    """A copy of a network whose weights, word table included, have that many bits.

    It is saved and loaded like any Hugging Face model, where ``slimlit.models`` was imported.

    Guarantees:
        - ``save_pretrained`` then ``from_pretrained`` gives the same logits;
        - tied weights are stored once.

    Args:
        network: to copy.
        bits: of a weight.
        activations: ``int8`` rounds each token's state too, where weights have 8 bits: faster, and less exact.

    Raises:
        ValueError: 8-bit activations with 4-bit weights, or a network that is quantised already.
    """
    if activations == "int8" and bits != 8:
        raise ValueError(f"activations of int8 go with weights of 8 bits, and bits is {bits}\nset activations to float")
    if network.config.to_dict().get("quantization_config") is not None:
        raise ValueError("the network is quantised already\nquantise the run it was made of")
    small = copy.deepcopy(network)
    for module in small.modules():
        module.__dict__.pop("forward", None)  # of training
    replace_modules(small, bits, activations, fill=True)
    settings = QuantisedConfig(bits, activations)
    small.config.quantization_config = settings
    small.hf_quantizer = Quantiser(settings, pre_quantized=True)
    return small


def feel_rounding(network: PreTrainedModel, bits: Bits = 8, activations: Activations = "float") -> None:
    """Let a network compute with rounded weights (and states) while its weights stay as exact as they are, in place.

    The gradient passes through the rounding as if it were not there. What is saved of the network stays the same.

    Source: Bengio, Leonard, Courville 2013, arXiv:1308.3432; Jacob et al. 2018, arXiv:1712.05877.
    """
    for _, module in quantisable(network):
        if isinstance(module, nn.Linear):
            module.forward = _Rounding(module, bits, activations)  # type: ignore[method-assign]
        else:
            module.register_forward_hook(_round_rows(bits))
    for module in network.modules():
        if isinstance(module, SeenWords):
            module.register_forward_hook(_round_rows(bits))


class _Rounding:
    """The forward pass of a linear map with rounded weights."""

    def __init__(self, linear: nn.Linear, bits: Bits, activations: Activations) -> None:
        self.linear, self.bits, self.activations = linear, bits, activations

    def __call__(self, input: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outputs"]:
        if self.activations == "int8" and self.bits == 8:
            codes, step = quantise_tokens(input.detach().reshape(-1, input.shape[-1]).float())
            input = input + ((codes * step).view(input.shape).to(input.dtype) - input.detach())
        return functional.linear(input, rounded(self.linear.weight, self.bits), self.linear.bias)


def _round_rows(bits: int) -> Any:
    def hook(module: nn.Module, inputs: Any, found: Tensor) -> Tensor:
        return rounded(found, bits)

    return hook
