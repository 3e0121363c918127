"""Whole words taken away, the strongest first: units of inputs, their orders, and what the network says without some of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.explain.question import Measure, Question, answer, ask, score, take, without
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

MEASURES: tuple[Measure, ...] = ("probability", "margin")
TOKENS_AT_ONCE = 4096
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


def rank_units(values: Float[np.ndarray, "batch units"], examples: Sequence[int], seed: int) -> Orders:
    """The rank of each unit, 0 for the largest value; equal ones in an order drawn by the seed and the example's number."""
    ranks = np.tile(np.arange(values.shape[1]), (len(values), 1))
    for row, (line, example) in enumerate(zip(values, examples, strict=True)):
        number = int(np.isfinite(line).sum())  # those that are there stand first
        drawn = np.random.default_rng([seed, example]).permutation(number)
        ranks[row, drawn[np.argsort(-line[drawn], kind="stable")]] = np.arange(number)
    return ranks


def draw_ranks(units: Int[np.ndarray, "batch inputs"], examples: Sequence[int], seed: int) -> Orders:
    """A random order of the units."""
    return rank_units(sum_by_unit(torch.zeros(units.shape), units), examples, seed)


@dataclass(frozen=True)
class Cases:
    """Rows of a batch, each with some of its inputs hidden: what is to be read."""

    rows: Int[np.ndarray, " cases"]
    hidden: Bool[np.ndarray, "cases inputs"]


def read_cases(
    network: PreTrainedModel, batch: Batch, question: Question, cases: Cases, blank: int | None = None
) -> dict[Measure, Float[np.ndarray, " cases"]]:
    """What the network says of the asked answer in each case, in every measure.

    Cases that are the same are read once; short texts together, so many at a time that memory stays bounded.
    """
    packed = np.packbits(cases.hidden, axis=1)
    keys = np.concatenate(
        [cases.rows[:, None].astype(">u4").view(np.uint8).reshape(len(cases.rows), 4), packed], axis=1
    )
    _, first, back = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    lengths = batch["attention_mask"].cpu().numpy().astype(bool)
    longest = np.where(lengths.any(1), lengths.shape[1] - lengths[:, ::-1].argmax(1), 1)
    order = np.argsort(-longest[cases.rows[first]], kind="stable")
    found = {measure: np.zeros(len(first)) for measure in MEASURES}
    device = batch["input_ids"].device
    start = 0
    with eval_mode(network), torch.inference_mode():
        while start < len(order):
            length = int(longest[cases.rows[first[order[start]]]])
            width = length + (batch["decoder_input_ids"].shape[1] if "decoder_input_ids" in batch else 0)
            places = order[start : start + max(1, TOKENS_AT_ONCE // width)]
            chosen = first[places]
            rows = torch.from_numpy(cases.rows[chosen]).to(device)
            asked = ask(question, rows)
            part = without(take(batch, rows), torch.from_numpy(cases.hidden[chosen]).to(device), blank)
            logits = answer(network, trim(part, length), asked)
            for measure in MEASURES:
                found[measure][places] = score(logits, asked, measure).double().cpu().numpy()
            start += len(places)
    return {measure: values[back.reshape(-1)] for measure, values in found.items()}


def trim(batch: Batch, length: int) -> Batch:
    """The batch without the padding behind ``length`` tokens."""
    num_tokens = batch["input_ids"].shape[1]
    parts: dict[str, Any] = dict(batch)
    for name in ("input_ids", "attention_mask", "token_type_ids", "pooling_mask", "position_ids", "word_ids"):
        if name in parts and parts[name].shape[1] == num_tokens:
            parts[name] = parts[name][:, :length]
    return cast(Batch, parts)


@contextmanager
def eval_mode(network: PreTrainedModel) -> Iterator[None]:
    """Read the network without dropout; every module's mode is given back."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
