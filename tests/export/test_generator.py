"""A language model leaves as one file that writes what it wrote, word for word."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from slimlit.export.sample import Sample
from slimlit.export.writing import Writer, count_other_words

onnx = pytest.importorskip("onnx", reason="needs slimlit[onnx]")
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
    stored = onnx.load(tmp_path / "model.onnx").graph.initializer
    num_stored = sum(math.prod(one.dims) for one in stored if one.data_type == onnx.TensorProto.FLOAT)
    num_weights = sum(weight.numel() for weight in network.parameters())
    assert (
        0.99 * num_weights < num_stored < 1.02 * num_weights
    )  # norms of ones are one; the angles of positions come beside
    assert b"site-packages" not in (tmp_path / "model.onnx").read_bytes()
