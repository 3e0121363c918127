"""``quantise``: int8 by standard ONNX operators: a scale for each row of numbers that is read, and for each column of weights."""

from collections.abc import Iterable

import numpy as np
import onnx_ir as ir

from slimlit.export.sample import Array

LEAST_SIZE = 1024  # weights smaller than this stay in float32: there is nothing to save
LEAST_SIDE = 8  # neither do weights of fewer rows or columns
_GELU_LEAST = (
    -0.17
)  # GELU is never below -0.16998; so its outputs fill all 256 steps, where a symmetric scale leaves half unused


class Quantiser:
    """Rewrites the graph of a model.

    A matrix product ``x W`` becomes ``s_x s_w (q_x Q_W)`` with integers within: ``s_x`` is the greatest ``|x|`` of the row over 127,
    found anew for every row (ONNX Runtime's own dynamic quantisation has one for the whole batch, which the greatest number of
    the longest text decides), ``s_w`` the same of each column of ``W``, once. Inputs that several products read are rounded once.
    Looked-up tables become int8 with a scale for each row. Nothing is calibrated, no text is read.

    Integers: ``q_x`` is unsigned with zero point 128, ``Q_W`` signed: what ONNX Runtime's fast kernels take.
    """

    def __init__(self, model: ir.Model) -> None:
        self.graph = model.graph
        self.rows: dict[str, tuple[ir.Value, ir.Value, float | None]] = {}
        self.tables: dict[str, tuple[ir.Value, ir.Value]] = {}
        self.constants: dict[str, ir.Value] = {}
        self.place: ir.Node

    def run(self) -> None:
        """Rewrite products and look-ups with big weights, and drop the weights nobody reads any more."""
        for node in list(self.graph):
            self.place = node
            if node.op_type == "MatMul":
                self.product(node)
            elif node.op_type == "Gather":
                self.look_up(node)
        for node in reversed(list(self.graph)):  # transposed weights whose product is gone
            if node.op_type == "Transpose" and not node.outputs[0].uses() and not node.outputs[0].is_graph_output():
                self.graph.remove(node, safe=True)
        for name, value in list(self.graph.initializers.items()):
            if not value.uses() and not value.is_graph_output():
                del self.graph.initializers[name]

    def product(self, node: ir.Node) -> None:
        """``x W`` of a stored ``W``."""
        x, w = node.inputs
        assert x is not None
        assert w is not None
        found = self.weight(w)
        if found is None:
            return
        integers, scales, sums = found
        q_x, s_x, least = self.row(x)
        zero = self.constant("zero_point", np.array(128 if least is None else 0, np.uint8))
        result = self.add("Mul", [self.add("Mul", [self.multiply(q_x, integers, zero), s_x]), scales])
        if least is not None:
            result = self.add("Add", [result, self.constant(f"{w.name}_shift", (least * sums).astype(np.float32))])
        self.replace(node, result)

    def multiply(self, q_x: ir.Value, integers: ir.Value, zero: ir.Value) -> ir.Value:
        """The product of integers, as float32."""
        return self.add("Cast", [self.add("MatMulInteger", [q_x, integers, zero])], to=ir.DataType.FLOAT)

    def look_up(self, node: ir.Node) -> None:
        """Rows of a stored table."""
        table, places = node.inputs
        assert table is not None
        assert places is not None
        if not _is_big(table) or node.attributes.get_int("axis", 0) != 0:
            return
        integers, scales = self.table(table)
        rows = self.add("Cast", [self.add("Gather", [integers, places], axis=0)], to=ir.DataType.FLOAT)
        self.replace(node, self.add("Mul", [rows, self.add("Gather", [scales, places], axis=0)]))

    def weight(self, w: ir.Value) -> tuple[ir.Value, ir.Value, Array] | None:
        """Integers, scales and column sums of a weight; of a table that is stored transposed, the table's own integers."""
        producer = w.producer()
        if (
            producer is not None
            and producer.op_type == "Transpose"
            and producer.inputs[0] is not None
            and _is_big(producer.inputs[0])
        ):
            table = producer.inputs[0]
            integers, scales = self.table(table)
            turned = self.add("Transpose", [integers], perm=[1, 0])
            flat = self.constant(f"{table.name}_columns", _numbers(scales).reshape(-1))
            return turned, flat, _numbers(integers).astype(np.float32).sum(1) * _numbers(flat)
        if not _is_big(w):
            return None
        columns, steps = rounded(_numbers(w), axis=0)
        sums: Array = (columns.astype(np.float32) * steps).sum(axis=0)
        return self.constant(f"{w.name}_int8", columns), self.constant(f"{w.name}_scale", steps.reshape(-1)), sums

    def table(self, table: ir.Value) -> tuple[ir.Value, ir.Value]:
        """The integers of a table and the scale of each of its rows."""
        name = str(table.name)
        if name not in self.tables:
            rows, steps = rounded(_numbers(table), axis=1)
            self.tables[name] = (self.constant(f"{name}_int8", rows), self.constant(f"{name}_scale", steps))
        return self.tables[name]

    def row(self, x: ir.Value) -> tuple[ir.Value, ir.Value, float | None]:
        """The integers of an input, a scale a row, and what was taken off first where its least number is known."""
        name = str(x.name)
        if name in self.rows:
            return self.rows[name]
        producer = x.producer()
        least = {"Gelu": _GELU_LEAST, "Relu": 0.0}.get("" if producer is None else producer.op_type)
        tiny, last = (
            self.constant("tiny", np.array(1e-12, np.float32)),
            self.constant("last_axis", np.array([-1], np.int64)),
        )
        if least is None:
            size = self.add("ReduceMax", [self.add("Abs", [x]), last], keepdims=1)
            shifted, steps, zero = x, 127.0, 128
        else:
            shifted = self.add("Sub", [x, self.constant(f"least_{least}", np.array(least, np.float32))])
            size = self.add("ReduceMax", [shifted, last], keepdims=1)
            steps, zero = 255.0, 0
        scale = self.add(
            "Div", [self.add("Max", [size, tiny]), self.constant(f"steps_{steps}", np.array(steps, np.float32))]
        )
        integers = self.add(
            "QuantizeLinear",
            [
                self.add("Div", [shifted, scale]),
                self.constant("one", np.array(1.0, np.float32)),
                self.constant(f"zero_point_{zero}", np.array(zero, np.uint8)),
            ],
        )
        self.rows[name] = (integers, scale, least)
        return self.rows[name]

    def add(self, operator: str, inputs: Iterable[ir.Value], **attributes: int | list[int] | ir.DataType) -> ir.Value:
        """A node before the one at hand; its output."""
        plain = {name: int(value) if isinstance(value, ir.DataType) else value for name, value in attributes.items()}
        node = ir.node(operator, list(inputs), plain)
        self.graph.insert_before(self.place, node)
        return node.outputs[0]

    def constant(self, name: str, value: Array) -> ir.Value:
        """A stored value, once by name and content."""
        name = f"{name}_{value}" if value.ndim == 0 else name
        if name not in self.constants:
            self.constants[name] = ir.Value(
                name=f"slimlit.{name}", const_value=ir.tensor(value, name=f"slimlit.{name}")
            )
            self.constants[name].shape, self.constants[name].dtype = ir.Shape(value.shape), ir.tensor(value).dtype
            self.graph.register_initializer(self.constants[name])
        return self.constants[name]

    def replace(self, node: ir.Node, result: ir.Value) -> None:
        """Put a result in the place of a node's output."""
        old = node.outputs[0]
        result.shape, result.type = old.shape, old.type
        ir.convenience.replace_all_uses_with(old, result, replace_graph_outputs=True)
        self.graph.remove(node, safe=True)
        result.name = old.name


def quantise(model: ir.Model) -> None:
    """Make the big weights of a model int8, and its products with them, in place."""
    Quantiser(model).run()


def rounded(weight: Array, axis: int) -> tuple[Array, Array]:
    """The nearest integers from -127 to 127 to ``weight / scale``, a scale for all numbers along an axis."""
    scale = np.abs(weight).max(axis=axis, keepdims=True) / 127
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


def _is_big(value: ir.Value) -> bool:
    stored = value.const_value
    return (
        value.is_initializer() and stored is not None and stored.dtype == ir.DataType.FLOAT and len(stored.shape) == 2
        and stored.size >= LEAST_SIZE and min(stored.numpy().shape) >= LEAST_SIDE
    )  # fmt: skip


def _numbers(value: ir.Value) -> Array:
    assert value.const_value is not None
    found: Array = value.const_value.numpy()
    return found
