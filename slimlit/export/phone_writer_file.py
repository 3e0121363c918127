"""``write_phone_writer``: a causal language model as one ``.pte`` that reads prompts and writes on: every float32 weight is in it once."""

import copy
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim
from transformers.pytorch_utils import Conv1D

from slimlit.export.executorch_file import RoundedTable, round_products
from slimlit.export.fine_linear import FineLinear
from slimlit.export.giants import part_giants
from slimlit.export.remembering import Remembering, TiedHead, room_of
from slimlit.export.tracing import quietly_traced
from slimlit.models import PreTrainedModel


def write_phone_writer(network: PreTrainedModel, folder: Path, is_int8: bool, max_length: int) -> list[str]:
    """Write ``model.pte``; give back its outputs: ``logits``. Keys and values stay inside it.

    Its memory has room for ``max_length`` tokens, and for 256 where the network's positions reach so far. In float32 a head that is tied to the
    word table reads the table itself. In int8 the table is there twice, as rows to look up and, packed by XNNPACK, as the head;
    products are of 16 by 8 bits, and the channels that reach furthest stay in float32.
    """
    from transformers.exporters import ExecutorchConfig, ExecutorchExporter

    room = room_of(network, max_length)
    network = copy.deepcopy(network)
    if is_int8:
        _turn(network)
        network = part_giants(network)
    network.set_attn_implementation("eager")
    with quietly_traced():
        writer = Remembering(network, room)
        if is_int8:
            _round(network)
        else:
            _share_table(network)
        places = torch.arange(5)
        inputs = {"input_ids": places.unsqueeze(0).clone(), "cache_position": places}
        new = Dim("new", min=1, max=room)
        settings = ExecutorchConfig(dynamic=True, dynamic_shapes={"input_ids": {1: new}, "cache_position": {0: new}})
        exporter = ExecutorchExporter()
        exporter.save_program(exporter.export(writer, inputs, settings).program, folder / "model.pte")
    return ["logits"]


def _share_table(network: PreTrainedModel) -> None:
    table, head = network.get_input_embeddings(), network.get_output_embeddings()
    if isinstance(head, nn.Linear) and head.weight is table.weight and head.bias is None:
        network.set_output_embeddings(TiedHead(table))


def _turn(network: PreTrainedModel) -> None:
    """Hold the maps of a GPT-2, which are held reading axis first, as linear ones, which can be rounded."""
    for name, one in list(network.named_modules()):
        if isinstance(one, Conv1D):
            reads, writes = one.weight.shape
            linear = nn.Linear(reads, writes, device="meta")
            linear.weight, linear.bias = nn.Parameter(one.weight.detach().T.contiguous()), one.bias
            network.set_submodule(name, linear)


def _round(network: PreTrainedModel) -> None:
    table = RoundedTable(network.get_input_embeddings().weight.detach())
    for name, one in list(network.named_modules()):
        if isinstance(one, nn.Linear):
            network.set_submodule(name, FineLinear(one))
    network.set_input_embeddings(table)
    round_products(network)
