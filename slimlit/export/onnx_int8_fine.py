"""``quantise_finely``: int8 weights as ever, and what they are multiplied with in 16 bits: two roundings, one product."""

import numpy as np
import onnx_ir as ir

from slimlit.export.onnx_int8 import Quantiser


class FineQuantiser(Quantiser):
    """Rounds what the first rounding leaves of a row once more, 254 times as finely; both go through one product, one under the other.

    ``x W = s_x s_w (q_x Q_W + r_x Q_W / 254)``, ``r_x`` of eight bits too: the weights are read once, where two products would
    read them twice.
    """

    def row(self, x: ir.Value) -> tuple[ir.Value, ir.Value, float | None]:
        """The integers of an input, under them those of what they leave, and the scale of each row."""
        name = str(x.name)
        if name not in self.rows:
            last = self.constant("last_axis", np.array([-1], np.int64))
            tiny = self.constant("tiny", np.array(1e-12, np.float32))
            size = self.add("Max", [self.add("ReduceMax", [self.add("Abs", [x]), last], keepdims=1), tiny])
            scale = self.add("Div", [size, self.constant("steps_127.0", np.array(127.0, np.float32))])
            steps = self.add("Div", [x, scale])
            left = self.add("Sub", [steps, self.add("Round", [steps])])
            finer = self.add("Mul", [left, self.constant("steps_254.0", np.array(254.0, np.float32))])
            one = self.constant("one", np.array(1.0, np.float32))
            zero = self.constant("zero_point_128", np.array(128, np.uint8))
            both = self.add("QuantizeLinear", [self.add("Concat", [steps, finer], axis=0), one, zero])
            self.rows[name] = (both, scale, None)
        return self.rows[name]

    def multiply(self, q_x: ir.Value, integers: ir.Value, zero: ir.Value) -> ir.Value:
        """The product of both, added up."""
        node = ir.node("Split", [super().multiply(q_x, integers, zero)], {"axis": 0, "num_outputs": 2}, num_outputs=2)
        self.graph.insert_before(self.place, node)
        coarse, fine = node.outputs
        share = self.constant("share", np.array(1 / 254, np.float32))
        return self.add("Add", [coarse, self.add("Mul", [fine, share])])


def quantise_finely(model: ir.Model) -> None:
    """Make the big weights of a model int8, and its products with them of 16 by 8 bits, in place."""
    FineQuantiser(model).run()
