"""``write_executorch``: a network as one ``.pte`` for phones, its products in XNNPACK, in float32 or true int8."""

import copy
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.export import Dim

from slimlit.export.sample import Sample
from slimlit.export.tracing import outputs_of, quietly_traced, traced_inputs
from slimlit.models import PreTrainedModel


class RoundedTable(nn.Module):
    """A table of int8 with a scale for each row, looked up like :class:`torch.nn.Embedding`; only the rows asked for become float32."""

    def __init__(self, weight: Float[Tensor, "rows width"]) -> None:
        super().__init__()
        scale = (weight.abs().amax(dim=1, keepdim=True) / 127).clamp(min=1e-12)
        self.register_buffer("rows", torch.round(weight / scale).to(torch.int8))
        self.register_buffer("scale", scale)

    rows: Tensor
    scale: Tensor

    def forward(self, ids: Int[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens width"]:
        """The rows asked for."""
        flat = ids.reshape(-1)
        rows = self.rows.index_select(0, flat).to(torch.float32) * self.scale.index_select(0, flat)
        return rows.reshape(*ids.shape, -1)


def write_executorch(
    network: PreTrainedModel, sample: Sample, folder: Path, is_int8: bool, max_length: int
) -> list[str]:
    """Write ``model.pte``: one text a call, of any length up to ``max_length``; give back the names of its outputs.

    int8 is torchao's for products (a scale for each row that is read, one for each output of a weight), ours for tables: torchao's
    own is not carried through the export. Attention is exported written out, which XNNPACK takes.
    """
    from transformers.exporters import ExecutorchConfig, ExecutorchExporter

    network = copy.deepcopy(network)
    network.set_attn_implementation("eager")
    inputs = {name: value[1:].clone() for name, value in traced_inputs(sample).items()}
    tokens = {1: Dim("tokens", min=2, max=max_length)}
    with quietly_traced():
        if is_int8:
            _round(network)
        settings = ExecutorchConfig(dynamic=True, dynamic_shapes=dict.fromkeys(inputs, tokens))
        exporter = ExecutorchExporter()
        exporter.save_program(exporter.export(network, inputs, settings).program, folder / "model.pte")
    return outputs_of(network)


def _round(network: PreTrainedModel) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Embedding):
                setattr(parent, name, RoundedTable(child.weight.detach()))
    round_products(network)


def round_products(network: nn.Module) -> None:
    """Let every linear map have int8 weights and round each row that it reads, in place."""
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.quantization.granularity import PerAxis

    quantize_(network, Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int8, weight_granularity=PerAxis(0)))
