"""A language model leaves as one file that writes what it wrote, word for word."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from slimlit.export.sample import Sample
from slimlit.export.writing import Writer, count_other_words

pytest.importorskip("onnxruntime", reason="needs slimlit[onnx]")
pytest.importorskip("onnxscript", reason="needs slimlit[onnx]")


def test_the_exported_model_writes_what_generate_writes_and_holds_every_weight_once(
    toy_decoder: Path, tmp_path: Path
) -> None:
    from slimlit.export.generator_file import write_generator

    network = AutoModelForCausalLM.from_pretrained(toy_decoder).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4.0)  # else it writes one word over and over
    random = np.random.default_rng(0)
    masks = [np.array([[1] * 12]), np.array([[1] * 9, [1] * 5 + [0] * 4])]
    batches = [{"input_ids": random.integers(5, 300, mask.shape), "attention_mask": mask} for mask in masks]
    sample = Sample(batches, [one["input_ids"] for one in batches])
    write_generator(network, sample, tmp_path, is_int8=False)
    writer = Writer(tmp_path)
    assert count_other_words(network, writer, sample, max_new_tokens=16) == (0, 2)
    for batch in batches:
        with torch.inference_mode():
            said = network(**{name: torch.from_numpy(one) for name, one in batch.items()}).logits.numpy()
        real = batch["attention_mask"] == 1
        np.testing.assert_allclose(writer(batch)["logits"][real], said[real], atol=1e-3)
    num_weights = sum(weight.numel() for weight in network.parameters())
    weights = 4 * num_weights
    assert weights < (tmp_path / "model.onnx").stat().st_size < weights + 150_000  # the graph itself is 100 kB
