"""Rounding of weights to 8 or 4 bits and of states to 8, and back."""

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

GROUP = 32  # weights of 4 bits that share a step
Bits = Literal[4, 8]


def steps(rows: Float[Tensor, "*rows width"], bits: int) -> Float[Tensor, "*rows groups"]:
    """The step between two values of each row, or of each group of :data:`GROUP` where there are 4 bits; never zero."""
    most = 2 ** (bits - 1) - 1
    grouped = rows.view(*rows.shape[:-1], -1, group_of(rows.shape[-1], bits))
    step: Tensor = grouped.abs().amax(-1).clamp(min=1e-12) / most
    return step


def rounded(rows: Float[Tensor, "*rows width"], bits: int) -> Float[Tensor, "*rows width"]:
    """The rows as they are once quantised; the gradient passes as if they were not (straight through)."""
    step = steps(rows.detach(), bits).repeat_interleave(group_of(rows.shape[-1], bits), -1)
    return rows + ((rows.detach() / step).round() * step - rows.detach())


def quantise_rows(rows: Float[Tensor, "rows width"], bits: int) -> tuple[Tensor, Float[Tensor, "rows groups"]]:
    """The codes of the rows and their steps; two codes of 4 bits share a byte."""
    step = steps(rows, bits)
    codes = (rows / step.repeat_interleave(group_of(rows.shape[-1], bits), -1)).round().to(torch.int8)
    if bits == 8:
        return codes, step
    halves = (codes + 8).to(torch.uint8)
    return halves[:, 0::2] | (halves[:, 1::2] << 4), step


def restore_rows(codes: Tensor, step: Float[Tensor, "*rows groups"], bits: int) -> Float[Tensor, "*rows width"]:
    """The rows that codes and steps stand for."""
    if bits == 4:
        codes = torch.stack([codes & 15, codes >> 4], dim=-1).flatten(-2).to(torch.int8) - 8
    grouped = codes.view(*step.shape, -1)
    return (grouped * step.unsqueeze(-1)).flatten(-2)


def quantise_tokens(
    states: Float[Tensor, "tokens width"],
) -> tuple[Int[Tensor, "tokens width"], Float[Tensor, "tokens 1"]]:
    """Each token's state in 8 bits with a step of its own."""
    step = torch.linalg.vector_norm(states, ord=float("inf"), dim=-1, keepdim=True).clamp_(min=1e-12) / 127
    return (states / step).round_().to(torch.int8), step


def group_of(width: int, bits: int) -> int:
    """How many weights of a row share a step."""
    return GROUP if bits == 4 and width % GROUP == 0 else width
