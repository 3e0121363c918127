"""Masked words: which places of a row are hidden, as a function of the seed, the epoch and the row's tokens alone."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Sampler

from slimlit.data.examples import IGNORED
from slimlit.data.text_rows import TextRows
from slimlit.models.tokenizers import Tokenizer
from slimlit.types import Batch

Numbers = npt.NDArray[np.int64]


class Masking:
    """How words are hidden for a masked language model.

    Args:
        share: of a row's tokens that are asked for.
        whole_words: hide all tokens of a word or none.
        every_epoch: draw anew each epoch; False hides the same words always, so that a teacher's answers can be cached.
        language: ``zh`` to take Chinese words from rjieba; the tokenizer's own words (for Chinese: characters) unless given.

    Source: Devlin et al. 2019, arXiv:1810.04805 (80 % mask, 10 % another word, 10 % left); Liu et al. 2019,
    arXiv:1907.11692, section 4.1 (dynamic).
    """

    def __init__(
        self, share: float = 0.15, whole_words: bool = True, every_epoch: bool = True, language: str | None = None
    ) -> None:
        if not 0.0 < share < 1.0:
            raise ValueError(f"masking.share is {share}; expected between 0 and 1")
        if language not in (None, "zh"):
            raise ValueError(f"masking.language is {language!r}; expected zh, or nothing: the tokenizer's own words")
        self.share, self.whole_words, self.every_epoch, self.language = share, whole_words, every_epoch, language


class Drawn(list[int]):
    """Rows of a batch, and the epoch they are drawn in."""

    def __init__(self, rows: Sequence[int], epoch: int) -> None:
        super().__init__(rows)
        self.epoch = epoch


@runtime_checkable
class Batches(Protocol):
    """A sampler of batches that goes on from where a run stopped, epoch after epoch; its length is that of an epoch."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[list[int]]: ...


class InEpochs(Sampler[list[int]]):
    """Batches of another sampler, which say what epoch they are of.

    Args:
        batches: the sampler.
        num_taken: batches taken so far, over all epochs, whenever iteration begins.
    """

    def __init__(self, batches: Batches, num_taken: Callable[[], int] | None) -> None:
        self.batches, self.num_taken, self._next = batches, num_taken, 0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        first = self._next * len(self) if self.num_taken is None else self.num_taken()
        self._next += 1
        for number, rows in zip(count(first), self.batches, strict=False):
            yield Drawn(rows, number // max(1, len(self)))


@dataclass
class MaskedRows(TextRows):
    """Rows of text of which some words are hidden and asked for.

    Guarantees:
        - what is hidden depends on (seed, epoch, tokens of the row) alone: not on the batch, the process, what was drawn
          before, or the row's number, so that one text less changes no other's (rows alike have the same hidden);
        - special tokens and padding are never hidden; a row with a word has one hidden.

    Args:
        masking: how.
        seed: of the draw.
        mask: the number of the mask token.
        others: numbers of the words that may stand in for another.
    """

    masking: Masking = field(default_factory=Masking)
    seed: int = 0
    mask: int = 0
    others: Numbers = field(default_factory=lambda: np.zeros(1, np.int64))

    def words(self) -> list[int]:
        """All words: any may stand in for another."""
        return sorted({*super().words(), self.mask, *self.others.tolist()})

    def batch(self, rows: Sequence[int]) -> Batch:
        """Those rows, with words hidden as in the epoch they are drawn in; the same always where no epoch is said."""
        batch = super().batch(rows)
        begins = batch.pop("begins").numpy()  # type: ignore[typeddict-item]
        ids = batch["input_ids"].numpy()
        real = batch["attention_mask"].numpy().sum(axis=1)
        labels = np.full_like(ids, IGNORED)
        epoch = [rows.epoch] if isinstance(rows, Drawn) and self.masking.every_epoch else []
        for place, row in enumerate(rows):
            if row >= 0:
                content = zlib.crc32(ids[place, : real[place]].astype("<i8").tobytes())
                random = np.random.default_rng([self.seed, *epoch, content])
                self._hide(ids[place], labels[place], begins[place], random)
        batch["labels"] = torch.from_numpy(labels)
        return batch

    def _hide(self, ids: Numbers, labels: Numbers, begins: Numbers, random: np.random.Generator) -> None:
        """Words in random order until the share of tokens is reached."""
        places = np.flatnonzero(begins >= 0)
        if not len(places):
            return
        word_of = np.cumsum(begins[places]) - 1
        order = random.permutation(int(word_of[-1]) + 1)
        before = np.cumsum(np.bincount(word_of)[order]) - np.bincount(word_of)[order]
        chosen = places[np.isin(word_of, order[before < max(1.0, self.masking.share * len(places))])]
        labels[chosen] = ids[chosen]
        fate = random.random(len(chosen))
        ids[chosen[fate < 0.8]] = self.mask
        swapped = chosen[fate >= 0.9]
        ids[swapped] = random.choice(self.others, size=len(swapped))


def swappable(tokenizer: Tokenizer) -> Numbers:
    """The numbers of the words that may stand in for another: all but the special ones."""
    special = set(tokenizer.all_special_ids)
    return np.asarray([number for number in sorted(tokenizer.get_vocab().values()) if number not in special])
