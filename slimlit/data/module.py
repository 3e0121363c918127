"""``TextModule``: what every data module shares: a tokenizer, splits read once, and batches that resume exactly."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from slimlit.data.batches import LengthGroupedBatches, SortedBatches, padding_waste
from slimlit.data.examples import Examples
from slimlit.data.records import ENDINGS, Numbered, Opened, split_files
from slimlit.data.tokenized import TokenizedTexts
from slimlit.data.windows import Found, read_windows
from slimlit.models import PreTrainedModel
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from slimlit.types import Batch

NEEDED = {"fit": ("train", "validation"), "validate": ("validation",), "test": ("test",), "predict": ("predict",)}

Draw = Callable[[Any, Callable[[], int]], Any]
"""A sampler of the training split, given the number of batches taken so far: how privacy puts Poisson sampling in."""


class ResumableLoader(DataLoader[Batch]):
    """Tells Lightning that resuming within an epoch is exact; the position is the trainer's own count of batches."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the sampler asks the trainer."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: the sampler asks the trainer."""


class TextModule(LightningDataModule):
    """The base of data modules: give :meth:`read_rows` and :meth:`make_split`, and the rest follows.

    After ``setup``: ``tokenizer``, ``splits`` (by name; each knows its ``lengths``, ``fingerprint``, ``texts`` and how to make a
    ``batch`` of rows) and ``report`` (what was read, dropped and cut). ``labels`` are the classes, none where the answer is words.

    Args:
        sources: where each split is read from; None where it is made of another, or not there.
        tokenizer: a run, bundled name, folder or hub name; the one of the network.
        max_length: tokens of an example at most.
        batch_size: examples of a batch, over all processes.
        seed: of made splits and of the order of batches.
    """

    endings: ClassVar[tuple[str, ...]] = ENDINGS  # of the files of a split in a folder

    def __init__(
        self, sources: dict[str, str | None], tokenizer: str, max_length: int, batch_size: int, seed: int
    ) -> None:
        super().__init__()
        if batch_size < 1 or max_length < 3:
            raise ValueError(f"batch_size is {batch_size} and max_length {max_length}; expected at least 1 and 3")
        self.sources = sources
        self.tokenizer_source = tokenizer
        self.max_length = max_length
        self.batch_size = batch_size
        self.seed = seed
        self.labels: list[str] = []
        self.splits: dict[str, Any] = {}
        self.report: dict[str, Any] = {}
        self.draw: Draw | None = None
        self.num_planted = 0
        self._tokenizer: Tokenizer | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, loaded when first asked for."""
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.tokenizer_source)
            longest = self._tokenizer.model_max_length
            if self.max_length > longest:
                raise ValueError(
                    f"max_length is {self.max_length}, but the tokenizer {self.tokenizer_source!r} is made for {longest} tokens\n"
                    f"set data.init_args.max_length to at most {longest}"
                )
        return self._tokenizer

    @property
    def teacher_tokenizer(self) -> Tokenizer | None:
        """The teacher's, where it reads the same words in tokens of its own; None where it reads ours."""
        return None

    def setup(self, stage: str) -> None:
        """Read and tokenise the splits the stage needs, once.

        Raises:
            ValueError: files or columns that are not as expected.
        """
        wanted = [name for name in NEEDED[stage] if name not in self.splits]
        if not wanted:
            return
        _ = self.tokenizer  # refuses a wrong one before any text is read
        train = self.sources["train"]
        for name in ("validation", "test"):
            if self.sources[name] is None and train is not None and split_files(train, name, self.endings):
                self.sources[name] = train
        for name in wanted:
            self.add_split(name, self.read_rows(name))
        self.finish_setup(wanted)

    def windows(self) -> Iterator[npt.NDArray[np.int64]]:
        """What there is to predict, some rows at a time: each window in turn is the split ``predict``.

        Gives the number in the file, from 0, of the row of each example.

        Raises:
            ValueError: the file is not as expected, or there is nothing in it to predict.
        """
        _ = self.tokenizer
        return read_windows(self)

    def add_split(self, name: str, found: Any) -> None:
        """Tokenise what was read, as the split of that name."""
        self.splits[name] = self.make_split(name, found)
        self._note_unknown(name)

    def _note_unknown(self, name: str) -> None:
        """Report the share of tokens that the tokenizer has no word for: a score over them says little."""
        unknown, split = self.tokenizer.unk_token_id, self.splits[name]
        other = (self.tokenizer.eos_token_id, self.tokenizer.bos_token_id, self.tokenizer.pad_token_id)
        if unknown is None or unknown in other or not isinstance(split, Examples | TokenizedTexts):
            return  # of shards nothing is read beforehand
        share = split.count(int(unknown)) / max(1, int(split.lengths.sum()))
        if share:
            self.report[name]["share of unknown tokens"] = round(share, 4)

    def read_rows(self, name: str) -> Any:
        """The rows of a split; what was dropped goes into ``report``.

        Raises:
            ValueError: files or columns that are not as expected.
        """
        raise NotImplementedError

    def make_split(self, name: str, found: Any) -> Any:
        """Tokenise rows; what was cut goes into ``report``.

        Raises:
            ValueError: labels that are not as expected.
        """
        raise NotImplementedError

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read.

        Raises:
            ValueError: there is no such source, or it has other columns.
        """
        raise NotImplementedError

    def gather(self, rows: list[Numbered], name: str) -> Any:
        """What rows hold, for a split."""
        raise NotImplementedError

    def rows_of_examples(self, name: str, found: Any) -> npt.NDArray[np.int64]:
        """The number in the file of each example's row."""
        return np.asarray(found.rows, dtype=np.int64)

    def finish_setup(self, names: list[str]) -> None:
        """Called when those splits are there: to compare them."""

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """Which group (author, patient, dialogue) each training example belongs to, numbered from 0.

        Raises:
            ValueError: this kind of data has none.
        """
        raise ValueError(
            f"{type(self).__name__} knows no groups\nleave group_column out: each example is then protected alone"
        )

    def unprotected(self, group_column: str | None) -> str | None:
        """Why clipping examples (or groups) one by one would not protect whoever wrote them; None where it does."""
        return None

    def ledger_texts(self, name: str) -> tuple[Sequence[str], Sequence[str] | None]:
        """The texts of a split (and their pairs) that the privacy ledger knows it by, whatever was made of them."""
        split = self.splits[name]
        return split.texts, split.pairs

    def ledger_fingerprint(self, name: str) -> str | None:
        """The fingerprint the ledger knows a split by whose texts are not there, taken when they were; else None."""
        return getattr(self.splits[name], "text_fingerprint", None)

    def prepare_student(self, student: PreTrainedModel) -> None:
        """Called before a student is written: to give it what it must know to be used on such texts."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must have again: texts, labels and batches."""
        return self._state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Refuse to resume on other texts, labels or batches than the run began with.

        Raises:
            ValueError: they differ; the position in the data, and the optimizer's state of each word, would be wrong.
        """
        for name, now in self._state().items():
            if state_dict.get(name, now) != now:
                raise ValueError(
                    f"the {name} differ from those this run began with\n"
                    "resume with the same data settings and files, or start another run: --run NAME"
                )

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = {"labels": self.labels, "size and seed of the batches": [self.batch_size, self.seed]}
        for name in ("train", "validation"):
            if name in self.splits:
                split = self.splits[name]
                labels = getattr(split, "label_ids", np.zeros(0, np.int64))
                state[f"{name} texts"] = f"{split.fingerprint} {zlib.crc32(labels.tobytes())}"
        return state

    def note_file(self, name: str, source: str, found: Found, **more: Any) -> None:
        """Report what was read of a file, and what was left out."""
        self.report[f"{name} file"] = {
            "source": source, "rows": len(found), "empty rows left out": found.num_empty, **more,
            "broken rows left out": len(found.broken), "first broken rows": found.broken[:5],
        }  # fmt: skip

    def note_left_out(self, name: str, num_rows: int, num_empty: int, num_broken: int, broken: list[str]) -> None:
        """Report what was read of a file, counted by whoever read it."""
        self.report[f"{name} file"] = {
            "source": self.sources[name], "rows": num_rows, "empty rows left out": num_empty,
            "broken rows left out": num_broken, "first broken rows": broken,
        }  # fmt: skip

    def note_padding(self, name: str) -> None:
        """Report the share of padding of the training batches."""
        lengths = self.splits[name].lengths
        sampler = LengthGroupedBatches(lengths, self.batch_size, self.seed)
        self.report[name]["padding waste"] = round(padding_waste(lengths, sampler.epoch(0)), 4)

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled batches of like length, from where the trainer stopped."""
        trainer = self.trainer
        split = self.splits["train"]
        num_taken = None if trainer is None else partial(count_taken, trainer)
        if self.draw is not None and num_taken is not None:
            return ResumableLoader(split, batch_sampler=self.draw(split, num_taken), collate_fn=_same)
        batches = LengthGroupedBatches(
            split.lengths,
            self.batch_size,
            self.seed,
            rank=0 if trainer is None else trainer.global_rank,
            num_processes=1 if trainer is None else trainer.world_size,
            num_taken=num_taken,
        )
        return ResumableLoader(split, batch_sampler=batches, collate_fn=_same)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation batches in order of length."""
        return self._reading("validation")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test batches in order of length."""
        return self._reading("test")

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Batches to answer, in order of length; ``example_id`` tells the row."""
        return self._reading("predict")

    def _reading(self, name: str) -> DataLoader[Batch]:
        trainer = self.trainer
        rank, world = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        batches = SortedBatches(self.splits[name].lengths, 2 * self.batch_size, rank, world)
        return DataLoader(self.splits[name], batch_sampler=batches, collate_fn=_same)

    def batches(self, split: str, batch_size: int) -> Iterator[Batch]:
        """A split once, in order of length."""
        for rows in SortedBatches(self.splits[split].lengths, batch_size):
            yield self.splits[split].batch(rows)


def count_taken(trainer: Trainer) -> int:
    """Training batches taken so far, over all epochs and interruptions: those whose step was made, as checkpoints count."""
    taken = int(trainer.fit_loop.epoch_loop.batch_progress.total.processed)  # type: ignore[attr-defined]
    if trainer.overfit_batches > 0:  # type: ignore[attr-defined] # the same few again and again
        return taken % int(trainer.num_training_batches)
    return taken


def _same(batch: Any) -> Any:
    return batch
