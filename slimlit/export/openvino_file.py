"""``write_openvino``: a network as OpenVINO's two files, of free batch and length, in float32 or with int8 weights."""

from pathlib import Path
from typing import Any

from slimlit.export.sample import Sample
from slimlit.export.stages import decoder_of, stages_of
from slimlit.export.tracing import free_axes, outputs_of, quietly_traced, traced_inputs
from slimlit.models import PreTrainedModel
from slimlit.models.network import Kind


def write_openvino(network: PreTrainedModel, sample: Sample, folder: Path, is_int8: bool) -> list[str]:
    """Write ``openvino_model.xml`` and ``.bin``; give back the names of the outputs.

    int8 is NNCF's for weights: symmetric, a scale for each output and for each row of a table. What is read stays in float32 in the
    file; the runtime may round it in groups within a row. NNCF's int8 for both (W8A8) has one scale for a whole batch and fails
    our gate.
    """
    inputs = traced_inputs(sample)
    with quietly_traced():
        _write(network, inputs, folder / "openvino_model.xml", is_int8, free_axes(inputs))
    return outputs_of(network)


def write_openvino_writer(
    network: PreTrainedModel, kind: Kind, sample: Sample, folder: Path, is_int8: bool
) -> list[str]:
    """Write a network that writes: ``openvino_model.xml``, or of an encoder-decoder ``openvino_encoder_model.xml`` and
    ``openvino_decoder_model.xml``, with their ``.bin``; give back the names of the outputs.

    The same stages as in ONNX, but that keys and values of the words before stay in the runtime, which forgets them when told; ``beam_idx``
    says which row of the batch goes on. A table of words that encoder and decoder share is in both ``.bin``: OpenVINO has no file for both.
    """
    with quietly_traced():
        if kind == "causal_lm":
            _write(*decoder_of(network, sample), folder / "openvino_model.xml", is_int8)
        else:
            for name, (stage, inputs, axes) in stages_of(network, sample).items():
                _write(stage, inputs, folder / f"openvino_{name}_model.xml", is_int8, axes)
    return ["logits"]


def _write(module: Any, inputs: dict[str, Any], path: Path, is_int8: bool, axes: dict[str, Any] | None = None) -> None:
    import openvino
    from transformers.exporters import OpenVINOConfig, OpenVINOExporter

    settings = OpenVINOConfig(dynamic=True, dynamic_shapes=axes)
    if is_int8:
        import nncf
        from transformers.exporters import NNCFOpenVINOQuantizer, NNCFWeightCompressionConfig

        settings.quantizer = NNCFOpenVINOQuantizer(NNCFWeightCompressionConfig(mode=nncf.CompressWeightsMode.INT8_SYM))
    openvino.save_model(OpenVINOExporter().export(module, inputs, settings).program, str(path), compress_to_fp16=False)
