"""``write_openvino``: a network as OpenVINO's two files, of free batch and length, in float32 or with int8 weights."""

from pathlib import Path

from slimlit.export.sample import Sample
from slimlit.export.tracing import free_axes, outputs_of, quietly_traced, traced_inputs
from slimlit.models import PreTrainedModel


def write_openvino(network: PreTrainedModel, sample: Sample, folder: Path, is_int8: bool) -> list[str]:
    """Write ``openvino_model.xml`` and ``.bin``; give back the names of the outputs.

    int8 is NNCF's for weights: symmetric, a scale for each output and for each row of a table. What is read stays in float32 in the
    file; the runtime may round it in groups within a row. NNCF's int8 for both (W8A8) has one scale for a whole batch and fails
    our gate.
    """
    import openvino
    from transformers.exporters import OpenVINOConfig, OpenVINOExporter

    inputs = traced_inputs(sample)
    with quietly_traced():
        settings = OpenVINOConfig(dynamic=True, dynamic_shapes=free_axes(inputs))
        if is_int8:
            import nncf
            from transformers.exporters import NNCFOpenVINOQuantizer, NNCFWeightCompressionConfig

            settings.quantizer = NNCFOpenVINOQuantizer(
                NNCFWeightCompressionConfig(mode=nncf.CompressWeightsMode.INT8_SYM)
            )
        program = OpenVINOExporter().export(network, inputs, settings).program
        openvino.save_model(program, str(folder / "openvino_model.xml"), compress_to_fp16=False)
    return outputs_of(network)
