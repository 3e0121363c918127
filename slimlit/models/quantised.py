"""Linear maps and word tables that hold their weights in 8 or 4 bits, and read and write them as Hugging Face models do."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from slimlit.models.rounding import Bits, group_of, quantise_rows, quantise_tokens, restore_rows

METHOD = "slimlit"
Activations = Literal["float", "int8"]


class QuantisedLinear(nn.Linear):
    """A linear map with weights of few bits, a step for each output (4 bits: for each :data:`~slimlit.models.rounding.GROUP` inputs of it).

    With ``activations="int8"`` and 8 bits, each token's state is rounded to 8 bits too, and the product is one of whole numbers.

    Guarantees:
        - it says what the linear map with its rounded weights says;
        - with 8-bit activations a token's answer does not depend on the tokens beside it.
    """

    codes: Tensor
    step: Tensor

    def __init__(self, width: int, outputs: int, bits: Bits, activations: Activations, has_bias: bool) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.bits, self.activations = width, outputs, bits, activations
        self.register_buffer("codes", _empty_codes(outputs, width, bits))
        self.register_buffer("step", torch.ones(outputs, width // group_of(width, bits)))
        self.bias = nn.Parameter(torch.zeros(outputs), requires_grad=False) if has_bias else None  # type: ignore[assignment]

    @property
    def weight(self) -> Float[Tensor, "outputs width"]:  # type: ignore[override]
        """The weights, restored."""
        return restore_rows(self.codes, self.step, self.bits)

    def forward(self, input: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outputs"]:
        """The map."""
        if self.activations == "float" or self.bits != 8:
            return functional.linear(input, self.weight.to(input.dtype), self.bias)
        codes, step = quantise_tokens(input.reshape(-1, self.in_features).float())
        whole = torch._int_mm(codes, self.codes.t()) * step
        scale = self.step[:, 0]
        said = whole.mul_(scale) if self.bias is None else torch.addcmul(self.bias.float(), whole, scale)
        return said.to(input.dtype).view(*input.shape[:-1], self.out_features)


class QuantisedEmbedding(nn.Embedding):
    """A word table of few bits, a step for each word (4 bits: for each :data:`~slimlit.models.rounding.GROUP` of its numbers); only rows looked up are restored."""

    codes: Tensor
    step: Tensor

    def __init__(self, words: int, width: int, padding_idx: int | None, bits: Bits) -> None:
        nn.Module.__init__(self)
        self.num_embeddings, self.embedding_dim, self.padding_idx, self.bits = words, width, padding_idx, bits
        self.register_buffer("codes", _empty_codes(words, width, bits))
        self.register_buffer("step", torch.ones(words, width // group_of(width, bits)))

    @property
    def weight(self) -> Float[Tensor, "words width"]:  # type: ignore[override]
        """The whole table, restored."""
        return restore_rows(self.codes, self.step, self.bits)

    def forward(self, input: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch width"]:
        """Look words up."""
        return restore_rows(functional.embedding(input, self.codes), self.step[input], self.bits)


def _empty_codes(rows: int, width: int, bits: int) -> Tensor:
    return torch.zeros(rows, width, dtype=torch.int8) if bits == 8 else torch.zeros(rows, width // 2, dtype=torch.uint8)


def quantisable(network: PreTrainedModel) -> Iterator[tuple[str, nn.Linear | nn.Embedding]]:
    """The plain linear maps and tables of a network that are worth it: all but small ones, such as what names the classes."""
    for name, module in network.named_modules():
        if type(module) in (nn.Linear, nn.Embedding):
            rows, width = module.weight.shape
            if rows * width >= 128 and rows >= 8 and width % 2 == 0 and "relative_attention" not in name:
                yield name, module


def replace_modules(network: PreTrainedModel, bits: Bits, activations: Activations, fill: bool) -> None:
    """Put quantised modules into a network, in place, with its weights in them or still to be read; tied ones stay tied."""
    ties = {
        name.removesuffix(".weight"): source.removesuffix(".weight")
        for name, source in (network.all_tied_weights_keys or {}).items()
        if name.endswith(".weight")
    }
    found = dict(quantisable(network))
    for name, module in found.items():
        rows, width = module.weight.shape
        if isinstance(module, nn.Linear):
            new: Any = QuantisedLinear(width, rows, bits, activations, module.bias is not None)
        else:
            new = QuantisedEmbedding(rows, width, module.padding_idx, bits)
        if fill:
            new.codes, new.step = quantise_rows(module.weight.detach().float(), bits)
            if isinstance(module, nn.Linear) and module.bias is not None:
                new.bias = nn.Parameter(module.bias.detach(), requires_grad=False)
        if ties.get(name) in found:
            new._non_persistent_buffers_set |= {"codes", "step"}  # the one it is tied to is saved
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, new.train(module.training))
    network.all_tied_weights_keys = {
        name: source
        for name, source in (network.all_tied_weights_keys or {}).items()
        if name.removesuffix(".weight") not in found
    }
    network.slimlit_ties = {name: source for name, source in ties.items() if name in found and source in found}
    tie_modules(network)


def tie_modules(network: Any) -> None:
    """Let tied modules hold the same codes."""
    for name, source in network.slimlit_ties.items():
        one, other = network.get_submodule(name), network.get_submodule(source)
        one.codes, one.step = other.codes, other.step


def restore_modules(network: PreTrainedModel) -> None:
    """Put plain modules with the restored weights in the place of quantised ones; tied ones stay tied, what needs slimlit is gone.

    Guarantees:
        - it says what it said, where states were not rounded.
    """
    for name, module in list(network.named_modules()):
        if not isinstance(module, QuantisedLinear | QuantisedEmbedding):
            continue
        weight = module.weight.detach().float()
        new: nn.Linear | nn.Embedding
        if isinstance(module, QuantisedLinear):
            new = nn.Linear(module.in_features, module.out_features, module.bias is not None)
            new.bias = module.bias
        else:
            new = nn.Embedding(module.num_embeddings, module.embedding_dim, module.padding_idx)
        new.weight = nn.Parameter(weight)
        network.set_submodule(name, new.train(module.training))
    ties: dict[str, str] = network.slimlit_ties
    for name, source in ties.items():
        network.get_submodule(name).weight = network.get_submodule(source).weight
    tied = {f"{name}.weight": f"{source}.weight" for name, source in ties.items()}
    network.all_tied_weights_keys = {**(network.all_tied_weights_keys or {}), **tied}
    del network.config.quantization_config
    network.hf_quantizer = None


@register_quantization_config(METHOD)
class QuantisedConfig(QuantizationConfigMixin):
    """What ``config.json`` says of a quantised network: ``quantization_config: {quant_method: slimlit, bits, activations}``."""

    def __init__(self, bits: Bits = 8, activations: Activations = "float", **_: Any) -> None:
        self.quant_method = METHOD
        self.bits, self.activations = bits, activations


@register_quantizer(METHOD)
class Quantiser(HfQuantizer):
    """Reads quantised networks in ``from_pretrained``, wherever slimlit.models was imported."""

    quantization_config: QuantisedConfig

    def _process_model_before_weight_loading(self, model: PreTrainedModel, **_: Any) -> None:
        replace_modules(model, self.quantization_config.bits, self.quantization_config.activations, fill=False)

    def _process_model_after_weight_loading(self, model: PreTrainedModel, **_: Any) -> PreTrainedModel:
        tie_modules(model)
        return model

    def is_serializable(self) -> bool:
        """It can be saved again."""
        return True

    @property
    def is_trainable(self) -> bool:
        """Its codes are whole numbers, which no optimizer moves."""
        return False
