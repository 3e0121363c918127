"""``write_generator``: a causal language model as one ONNX file that reads prompts and writes on: every weight is in it once."""

import copy
from pathlib import Path

from slimlit.export.giants import part_giants
from slimlit.export.onnx_file import name_axes, save_onnx
from slimlit.export.sample import Sample
from slimlit.export.stages import decoder_of
from slimlit.export.tracing import quietly_traced
from slimlit.models import PreTrainedModel

PAST, NEXT = "input.past_key_values.", "output.past_key_values."


def write_generator(network: PreTrainedModel, sample: Sample, folder: Path, is_int8: bool) -> list[str]:
    """Write ``model.onnx``; give back its outputs: ``logits``, then keys and values to be given back with the next words.

    It is the one graph that :func:`~slimlit.export.stages.decoder_of` gives.
    """
    import onnx_ir
    from transformers.exporters import OnnxConfig, OnnxExporter

    network = part_giants(network) if is_int8 else copy.copy(network)
    with quietly_traced():
        program: onnx_ir.Model = OnnxExporter().export(*decoder_of(network, sample), OnnxConfig(dynamic=True)).program
        if is_int8:
            from slimlit.export.onnx_int8_fine import quantise_finely

            quantise_finely(program)
    names = [str(output.name) for output in program.graph.outputs]
    given = {str(one.name) for one in program.graph.inputs}
    if not {name.replace(NEXT, PAST) for name in names[1:]} <= given or names[0] != "logits":
        raise ValueError(
            f"a {network.config.model_type} remembers in a way this export does not know: {', '.join(names[:3])}\nexport it --to hub"
        )
    name_axes(program.graph)
    save_onnx(program, folder / "model.onnx")
    return names
