"""What two graphs hold is stored once."""

from pathlib import Path

import numpy as np
import pytest


def test_what_two_graphs_hold_is_stored_once_to_the_bit(tmp_path: Path) -> None:
    ir = pytest.importorskip("onnx_ir", reason="needs slimlit[onnx]")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs slimlit[onnx]")
    from slimlit.export.shared_weights import share_weights

    random = np.random.default_rng(0)
    shared, own = random.normal(size=(2, 64, 40)).astype(np.float32)
    graphs = {}
    for name, weights in (("one", [shared]), ("two", [shared.copy(), own])):
        x = ir.Value(name="x", shape=ir.Shape([2, 64]), type=ir.TensorType(ir.DataType.FLOAT))
        stored = [ir.Value(name=f"w{at}", const_value=ir.tensor(one, name=f"w{at}")) for at, one in enumerate(weights)]
        nodes = [ir.node("MatMul", [x, one]) for one in stored]
        for node, value in zip(nodes, stored, strict=True):
            value.shape, value.dtype = ir.Shape([64, 40]), ir.DataType.FLOAT
            node.outputs[0].shape, node.outputs[0].type = ir.Shape([2, 40]), ir.TensorType(ir.DataType.FLOAT)
        outputs = [node.outputs[0] for node in nodes]
        graph = ir.Graph([x], outputs, nodes=nodes, initializers=stored, opset_imports={"": 20}, name=name)
        graphs[name] = ir.Model(graph, ir_version=10)
    share_weights(graphs.values(), tmp_path / "shared.bin")
    assert (tmp_path / "shared.bin").read_bytes() == shared.tobytes()
    given = random.normal(size=(2, 64)).astype(np.float32)
    for name, weights in (("one", [shared]), ("two", [shared, own])):
        ir.save(graphs[name], str(tmp_path / f"{name}.onnx"))
        said = onnxruntime.InferenceSession(str(tmp_path / f"{name}.onnx")).run(None, {"x": given})
        for ours, weight in zip(said, weights, strict=True):
            np.testing.assert_allclose(ours, given @ weight, atol=1e-4)
    assert (tmp_path / "one.onnx").stat().st_size < 1000
