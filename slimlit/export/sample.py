"""``Sample``: the texts an export is checked on, as plain arrays: of all lengths, padded, in batches and alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.models.network import Kind

Array = npt.NDArray[Any]
Inputs = dict[str, Array]

_NAMES = ("input_ids", "attention_mask", "token_type_ids", "pooling_mask", "decoder_input_ids")
_ALONE = 4  # texts that are also read alone: a graph may hold for the batch it was traced with and no other


@dataclass(frozen=True)
class Sample:
    """Batches of inputs, and the labels of each, int64; a label below zero is none."""

    batches: list[Inputs]
    labels: list[Array]

    def __len__(self) -> int:
        return sum(len(one["input_ids"]) for one in self.batches)

    def __iter__(self) -> Iterator[tuple[Inputs, Array]]:
        return zip(self.batches, self.labels, strict=True)

    @property
    def names(self) -> list[str]:
        """The inputs a network reads of these texts, in the order of its arguments."""
        return [name for name in _NAMES if name in self.batches[0]]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text, without padding."""
        return [int(number) for batch in self.batches for number in batch["attention_mask"].sum(axis=1)]

    @property
    def num_padded(self) -> int:
        """Texts with padding beside them."""
        return sum(int((batch["attention_mask"] == 0).any(axis=1).sum()) for batch in self.batches)


def draw_sample(split: Any, kind: Kind, max_texts: int, batch_size: int = 16, seed: int = 0) -> Sample:
    """At most so many texts of a split, drawn, in batches of unlike lengths; the first few of them alone.

    Raises:
        ValueError: the split has no text.
    """
    if not len(split):
        raise ValueError("there are no validation texts to check an export on\nset data.init_args.validation")
    rows = np.random.default_rng(seed).permutation(len(split))[:max_texts].tolist()
    groups = [[row] for row in rows[:_ALONE]]
    groups += [rows[start : start + batch_size] for start in range(_ALONE, len(rows), batch_size)]
    batches, labels = [], []
    for group in groups:
        batch = split.batch(group)
        inputs = {name: batch[name].numpy() for name in _NAMES if name in batch}
        batches.append(inputs)
        labels.append(_next_words(inputs) if kind == "causal_lm" else batch["labels"].numpy())
    return Sample(batches, labels)


def _next_words(inputs: Inputs) -> Array:
    """The word after each place of a text; none after the last, and none in padding."""
    labels = np.full_like(inputs["input_ids"], -100)
    real = inputs["attention_mask"][:, 1:] == 1
    labels[:, :-1] = np.where(real, inputs["input_ids"][:, 1:], -100)
    return labels


def one_text(sample: Sample, num_tokens: int) -> Inputs:
    """One text of exactly so many tokens, made of the sample's own: what latency is measured on."""
    found: Inputs = {}
    for name in sample.names:
        other = name == "decoder_input_ids"  # of another length, padding and all
        real = [
            batch[name].reshape(-1) if other else batch[name][batch["attention_mask"] == 1] for batch in sample.batches
        ]
        found[name] = np.resize(np.concatenate(real), (1, num_tokens))
    return found
