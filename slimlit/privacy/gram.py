"""``Gram``: inner products of the rows of each example, each pair of rows computed once."""

import torch
from jaxtyping import Float
from torch import Tensor

_UNIT = 16  # rows of a strip are a multiple of it: the kernels of matrix products like that


class Gram:
    """``G[b, r, s] = rows[b, r] . rows[b, s]`` in float32, held as strips of its upper triangle.

    A strip is the products of some rows with themselves and all later rows: four strips take five eighths of the whole
    matrix's arithmetic.

    Args:
        rows: (batch, rows, width).
    """

    def __init__(self, rows: Float[Tensor, "batch rows width"]) -> None:
        exact = rows.float()
        count = exact.shape[1]
        size = _UNIT * max(2, -(-count // (4 * _UNIT)))  # narrower ones lose more speed than their symmetry saves
        self.strips = [
            torch.bmm(exact[:, start : start + size], exact[:, start:].transpose(1, 2))
            for start in range(0, count, size)
        ]

    def lengths(self) -> Float[Tensor, "batch rows"]:
        """Lengths of the rows."""
        return torch.cat([strip.diagonal(dim1=1, dim2=2) for strip in self.strips], dim=1).clamp(min=0.0).sqrt()

    def inner(self, other: "Gram") -> Float[Tensor, " batch"]:
        """``sum_rs G[b, r, s] H[b, r, s]``: the squared norm of ``sum_r x_r y_r^T``, with ``G`` of ``x`` and ``H`` of ``y``."""
        total = self.strips[0].new_zeros(len(self.strips[0]))
        for one, two in zip(self.strips, other.strips, strict=True):
            product = one * two
            total += 2 * product.sum((1, 2)) - product[:, :, : one.shape[1]].sum((1, 2))
        return total
