"""A language model leaves as one file that writes what it wrote, word for word."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from slimlit.export.giants import Parted, part_giants
from slimlit.export.sample import Sample
from slimlit.export.writing import Writer, count_other_words

onnx = pytest.importorskip("onnx", reason="needs slimlit[onnx]")
ir = pytest.importorskip("onnx_ir", reason="needs slimlit[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs slimlit[onnx]")
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


def test_giants_read_apart_change_nothing_and_tied_weights_stay_tied(toy_decoder: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(toy_decoder).eval()
    ids = torch.arange(5, 17)[None]
    with torch.inference_mode():
        said, parted = network(input_ids=ids).logits, part_giants(network)
        torch.testing.assert_close(parted(input_ids=ids).logits, said, atol=1e-5, rtol=1e-5)
    assert parted.lm_head.linear.weight is parted.get_input_embeddings().weight
    assert not any(isinstance(one, Parted) for one in network.modules())


def test_sixteen_bits_of_what_is_read_leave_the_error_of_the_weights_alone(tmp_path: Path) -> None:
    from slimlit.export.onnx_int8_fine import quantise_finely

    random = np.random.default_rng(0)
    x, w = random.normal(size=(2, 5, 64)).astype(np.float32), random.normal(size=(64, 48)).astype(np.float32)
    x[:, 0, 3] = 500.0  # a giant: one scale a row leaves nothing of the others
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    told = [onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in (("x", x.shape), ("y", (2, 5, 48)))]
    graph = onnx.helper.make_graph([node], "one", told[:1], told[1:], [onnx.numpy_helper.from_array(w, "w")])
    model = ir.from_proto(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    )
    quantise_finely(model)
    ir.save(model, str(tmp_path / "model.onnx"))
    (said,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"x": x})
    scale = np.abs(w).max(axis=0) / 127
    wanted = x.astype(np.float64) @ (np.clip(np.rint(w / scale), -127, 127) * scale)
    step = np.abs(x).max(axis=-1, keepdims=True) / 127 / 254 / 2  # of the second rounding, at most
    assert (np.abs(said - wanted) <= step * np.abs(w).sum(axis=0) * 1.02 + 1e-3).all()
