"""Batches of examples of like length, addressed by (seed, epoch, position), the same for any number of processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, pairwise

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

Rows = list[int]


class LengthGroupedBatches(Sampler[Rows]):
    """Shuffled batches whose examples are of like length, so that little padding is computed.

    Each epoch's order is drawn from (seed, epoch) alone: rows are shuffled, sorted by length within windows of some
    batches, cut into batches, and the batches shuffled. Of each batch, process ``rank`` takes every ``num_processes``-th
    row.

    Guarantees:
        - every example once an epoch;
        - iterating continues exactly where a run that took ``num_taken()`` batches stopped, also within an epoch, and
          then on into the next epochs: a trainer whose own epochs are shorter (``limit_train_batches``) sees all texts.

    Args:
        lengths: tokens of each example.
        batch_size: examples of a batch, over all processes.
        seed: of the order.
        window: batches that are sorted together; more means less padding and batches less random.
        rank: this process.
        num_processes: all processes.
        num_taken: batches taken so far, over all epochs, whenever iteration begins; then whoever asks for batches also
            says when an epoch ends. Where not given, each iteration is the next epoch.
    """

    def __init__(
        self,
        lengths: npt.NDArray[np.integer],
        batch_size: int,
        seed: int = 0,
        window: int = 64,
        rank: int = 0,
        num_processes: int = 1,
        num_taken: Callable[[], int] | None = None,
    ) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.window = window
        self.rank = rank
        self.num_processes = num_processes
        self.num_taken = num_taken
        self._next_epoch = 0

    def __len__(self) -> int:
        return len(cuts(len(self.lengths), self.batch_size, self.num_processes))

    def __iter__(self) -> Iterator[Rows]:
        if self.num_taken is None:
            numbers: Iterable[int] = [self._next_epoch]
            position = 0
            self._next_epoch += 1
        else:
            first, position = divmod(self.num_taken(), max(1, len(self)))
            numbers = count(first) if len(self) else []
        for number in numbers:
            for batch in self.epoch(number)[position:]:
                yield batch[self.rank :: self.num_processes].tolist()
            position = 0

    def epoch(self, epoch: int) -> list[npt.NDArray[np.intp]]:
        """The batches of an epoch, for all processes together, in order."""
        random = np.random.default_rng((self.seed, epoch))
        rows = random.permutation(len(self.lengths))
        span = self.window * self.batch_size
        windows = [rows[at : at + span] for at in range(0, len(rows), span)]
        ordered = np.concatenate(
            [window[np.argsort(self.lengths[window], kind="stable")] for window in windows] or [rows]
        )
        batches = [ordered[start:end] for start, end in cuts(len(rows), self.batch_size, self.num_processes)]
        return [batches[number] for number in random.permutation(len(batches))]


class SortedBatches(Sampler[Rows]):
    """Batches in order of length, for reading a split once: the least padding there can be."""

    def __init__(
        self, lengths: npt.NDArray[np.integer], batch_size: int, rank: int = 0, num_processes: int = 1
    ) -> None:
        order = np.argsort(np.asarray(lengths), kind="stable")
        parts = cuts(len(order), batch_size, num_processes)
        self.batches = [order[start:end][rank::num_processes].tolist() for start, end in parts]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Rows]:
        return iter(self.batches)


def cuts(num_rows: int, batch_size: int, num_processes: int) -> list[tuple[int, int]]:
    """Where each batch starts and ends; a rest too small to give every process an example joins the batch before it.

    Raises:
        ValueError: more processes than examples of a batch.
    """
    if min(batch_size, num_rows or batch_size) < num_processes:
        raise ValueError(
            f"batches of {batch_size} of {num_rows} examples are shared by {num_processes} processes\n"
            "expected at least one example for each process: set a larger data.init_args.batch_size, or fewer devices"
        )
    starts = list(range(0, num_rows, batch_size))
    if len(starts) > 1 and num_rows - starts[-1] < num_processes:
        starts.pop()
    return list(pairwise([*starts, num_rows]))


def padding_waste(lengths: npt.NDArray[np.integer], batches: Sequence[Sequence[int] | npt.NDArray[np.intp]]) -> float:
    """The share of padding among all tokens that the batches make the network read, 0 to 1."""
    lengths = np.asarray(lengths)
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 1.0 - int(lengths.sum()) / max(1, padded)
