"""``write_translator``: an encoder-decoder as two ONNX files, one that reads a text and one that writes of it, and one of weights both read."""

from pathlib import Path

from slimlit.export.onnx_file import add_as_sums, name_axes, save_onnx
from slimlit.export.sample import Sample
from slimlit.export.shared_weights import share_weights
from slimlit.export.stages import stages_of
from slimlit.export.tracing import quietly_traced
from slimlit.models import PreTrainedModel


def write_translator(network: PreTrainedModel, sample: Sample, folder: Path, is_int8: bool) -> list[str]:
    """Write ``encoder.onnx``, ``decoder.onnx`` and ``shared.bin``; give back the decoder's outputs.

    The encoder answers what the decoder's cross-attention reads (see :class:`~slimlit.export.stages.EncoderStage`); the decoder
    takes any number of words at once, so one graph serves the first word and each next one. Each weight is stored once: that of
    the words, which an encoder, a decoder and its logits often share, is in ``shared.bin``, which both graphs name.
    """
    import onnx_ir
    from transformers.exporters import OnnxConfig, OnnxExporter

    with quietly_traced():
        stages = stages_of(network, sample)
        programs: dict[str, onnx_ir.Model] = {}
        for name, (stage, inputs, axes) in stages.items():
            programs[name] = OnnxExporter().export(stage, inputs, OnnxConfig(dynamic=True, dynamic_shapes=axes)).program
            if is_int8:
                from slimlit.export.onnx_int8_fine import quantise_finely

                quantise_finely(programs[name])
    for program in programs.values():
        add_as_sums(program.graph)
        name_axes(program.graph)
    share_weights(programs.values(), folder / "shared.bin")
    for name, program in programs.items():
        save_onnx(program, folder / f"{name}.onnx")
    return [str(output.name) for output in programs["decoder"].graph.outputs]
