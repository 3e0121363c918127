"""Whole words in the order they are taken away: units of inputs, the strongest first, or in random order."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Orders = Int[np.ndarray, "batch units"]


def find_units(
    removable: Bool[Tensor, "batch inputs"], words: Int[Tensor, "batch inputs"] | None = None
) -> Int[np.ndarray, "batch inputs"]:
    """The unit each input is taken away with, from 0; -1 where it stays.

    Args:
        removable: inputs that may go.
        words: the word each input belongs to, -1 where to none (it then goes alone); None takes each input as a word.
    """
    may_go = removable.cpu().numpy()
    positions = np.arange(may_go.shape[1])
    given = np.full(may_go.shape, -1) if words is None else words.cpu().numpy()
    units = np.full(may_go.shape, -1, dtype=np.int64)
    for row, (goes, word) in enumerate(zip(may_go, given, strict=True)):
        first = {number: place for place, number in reversed(list(enumerate(word.tolist()))) if number >= 0}
        begins = np.asarray([first.get(number, place) for place, number in zip(positions, word.tolist(), strict=True)])
        units[row, goes] = np.unique(begins[goes], return_inverse=True)[1]
    return units


def count_units(units: Int[np.ndarray, "batch inputs"]) -> Int[np.ndarray, " batch"]:
    """How many units each example has."""
    return np.asarray(units.max(axis=1, initial=-1) + 1, dtype=np.int64)


def sum_by_unit(
    values: Float[Tensor, "batch inputs"], units: Int[np.ndarray, "batch inputs"]
) -> Float[np.ndarray, "batch units"]:
    """The value of each unit, the sum over its inputs; -infinity where an example has fewer."""
    given = values.detach().double().cpu().numpy()
    sums = np.zeros((len(units), max(1, int(count_units(units).max(initial=0)))))
    rows, places = np.nonzero(units >= 0)
    np.add.at(sums, (rows, units[rows, places]), given[rows, places])
    sums[np.arange(sums.shape[1]) >= count_units(units)[:, None]] = -np.inf
    return sums


def rank_units(values: Float[np.ndarray, "batch units"], examples: Sequence[int], seed: int, number: int = 0) -> Orders:
    """The rank of each unit, 0 for the largest value; equal ones in an order drawn by the seed, its number and the example's."""
    ranks = np.tile(np.arange(values.shape[1]), (len(values), 1))
    for row, (line, example) in enumerate(zip(values, examples, strict=True)):
        count = int(np.isfinite(line).sum())  # those that are there stand first
        drawn = np.random.default_rng([seed, number, example]).permutation(count)
        ranks[row, drawn[np.argsort(-line[drawn], kind="stable")]] = np.arange(count)
    return ranks


def draw_ranks(units: Int[np.ndarray, "batch inputs"], examples: Sequence[int], seed: int, number: int) -> Orders:
    """The random order of that number, from 1, of the units; another seed has other ones at every number."""
    return rank_units(sum_by_unit(torch.zeros(units.shape), units), examples, seed, number)
