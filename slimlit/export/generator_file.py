"""``write_generator``: a causal language model as one ONNX file that reads prompts and writes on: every weight is in it once."""

import copy
from pathlib import Path

import torch

from slimlit.export.giants import part_giants
from slimlit.export.onnx_file import name_axes, save_onnx
from slimlit.export.sample import Sample
from slimlit.export.tracing import quietly_traced
from slimlit.models import PreTrainedModel

PAST, NEXT = "input.past_key_values.", "output.past_key_values."


def write_generator(network: PreTrainedModel, sample: Sample, folder: Path, is_int8: bool) -> list[str]:
    """Write ``model.onnx``; give back its outputs: ``logits``, then keys and values to be given back with the next words.

    transformers' exporter makes two graphs, one for the prompt and one for each next word, with all weights in both. The second,
    traced over several words at once, reads a prompt too where nothing is remembered yet; so it is the only one here.
    """
    import onnx_ir
    from transformers.exporters import OnnxConfig, OnnxExporter
    from transformers.exporters.utils import decompose_for_generation

    ids = torch.from_numpy(sample.batches[0]["input_ids"][:1, :1]).expand(2, 7).clone()
    mask = torch.ones_like(ids)
    mask[0, :3] = 0  # a padded prompt, or the mask would be traced away
    network = part_giants(network) if is_int8 else copy.copy(network)
    with quietly_traced():
        settings = copy.deepcopy(network.generation_config)
        settings.eos_token_id = None  # the traced words are no text: nothing may end them
        settings.do_sample, settings.num_beams = False, 1
        stages = decompose_for_generation(
            network, {"input_ids": ids, "attention_mask": mask}, generation_config=settings, multi_token_decode=True
        )
        program: onnx_ir.Model = OnnxExporter().export(*stages["decode"], OnnxConfig(dynamic=True)).program
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
