"""``TextClassification``: labelled texts, or pairs of texts, from files to batches."""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from slimlit.data.batches import LengthGroupedBatches, SortedBatches, padding_waste
from slimlit.data.files import Columns, Texts, read_texts
from slimlit.data.splits import count_shared, identities, make_splits
from slimlit.data.tokenized import TokenizedTexts
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from slimlit.text.stop_words import StopWords
from slimlit.types import Batch

NEEDED = {"fit": ("train", "validation"), "validate": ("validation",), "test": ("test",), "predict": ("predict",)}


Draw = Callable[[TokenizedTexts, Callable[[], int]], Any]
"""A sampler of the training split, given the number of batches taken so far: how privacy puts Poisson sampling in."""


class ResumableLoader(DataLoader[Batch]):
    """Tells Lightning that resuming within an epoch is exact; the position is the trainer's own count of batches."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the sampler asks the trainer."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: the sampler asks the trainer."""


class TextClassification(LightningDataModule):
    """Texts with one label each, read from files, cleaned, split, tokenised once, and batched by length.

    Each of ``train``, ``validation``, ``test`` and ``predict`` is a CSV, TSV, JSONL or Parquet file (``.gz`` too), a
    saved Hugging Face data set, a bundled name (``rotten-tomatoes``) or a hub name. A missing validation or test split is
    made of the training texts: seeded, stratified, duplicates never on both sides.

    After ``setup``: ``labels``, ``tokenizer``, ``splits`` (by name) and ``report`` (what was read, dropped and cut).

    Args:
        train: the texts to learn from.
        tokenizer: a run, bundled name, folder or hub name; the one of the network.
        validation: texts to choose by.
        test: texts to report on.
        predict: texts to label; needs no labels.
        text_column: name of the column of texts.
        pair_column: name of the column of second texts, where an example is a pair.
        label_column: name of the column of labels, words or whole numbers.
        labels: the classes in order; sorted as found in ``train`` unless given.
        split: share of the training texts for validation and for test, where these are not given.
        max_length: tokens of an example at most.
        batch_size: examples of a batch, over all processes.
        stop_words: which words to drop, or to hide from the attention pooling.
        seed: of made splits and of the order of batches.
    """

    def __init__(
        self,
        train: str,
        tokenizer: str,
        validation: str | None = None,
        test: str | None = None,
        predict: str | None = None,
        text_column: str = "text",
        pair_column: str | None = None,
        label_column: str = "label",
        labels: list[str] | None = None,
        split: tuple[float, float] = (0.1, 0.1),
        max_length: int = 128,
        batch_size: int = 32,
        stop_words: StopWords | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if batch_size < 1 or max_length < 3:
            raise ValueError(f"batch_size is {batch_size} and max_length {max_length}; expected at least 1 and 3")
        self.sources = {"train": train, "validation": validation, "test": test, "predict": predict}
        self.tokenizer_source = tokenizer
        self.columns = Columns(text_column, pair_column, label_column)
        self.labels: list[str] = list(labels or [])
        self.share = {"validation": split[0], "test": split[1]}
        self.max_length = max_length
        self.batch_size = batch_size
        self.stop_words = stop_words
        self.seed = seed
        self.splits: dict[str, TokenizedTexts] = {}
        self.report: dict[str, Any] = {}
        self.draw: Draw | None = None
        self.num_planted = 0
        self._tokenizer: Tokenizer | None = None
        self._texts: dict[str, Texts] = {}

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

    def setup(self, stage: str) -> None:
        """Read, split and tokenise what the stage needs, once.

        Raises:
            ValueError: files, columns or labels that are not as expected.
        """
        wanted = [name for name in NEEDED[stage] if name not in self.splits]
        if not wanted:
            return
        _ = self.tokenizer  # refuses a wrong one before any text is read
        for name in wanted:
            texts = self._read(name)
            if not self.labels:
                self.labels = sort_labels(self._read_for_labels(name).labels)
            if len(self.labels) < 2:
                raise ValueError(
                    f"{self.sources['train']} has one class only: {self.labels[0]}\n"
                    f"expected two or more in column {self.columns.label!r}"
                )
            self.splits[name] = self._tokenised(name, texts)
        if set(wanted) & {"validation", "test"}:
            self._compare()

    def _read(self, name: str) -> Texts:
        if name in self._texts:
            return self._texts[name]
        source = self.sources[name]
        if source is not None:
            columns = self.columns if name != "predict" else Columns(self.columns.text, self.columns.pair, None)
            self._texts[name] = self._note(name, source, read_texts(source, columns, name))
        elif name == "predict":
            raise ValueError("there is nothing to predict\nname the texts: --data.predict FILE")
        if self.sources["train"] is not None and name != "predict" and (source is None or name == "train"):
            self._split_training_texts()
        return self._texts[name]

    def _read_for_labels(self, name: str) -> Texts:
        try:
            return self._read("train")
        except ValueError as problem:
            if name == "train" or self.sources[name] is None:
                raise
            raise ValueError(
                f"the classes are not given, and the training texts that tell them cannot be read\n{problem}\n"
                "name them in order: data.init_args.labels"
            ) from problem

    def _split_training_texts(self) -> None:
        """Read the training file and deal out the splits that have none of their own."""
        source = cast(str, self.sources["train"])
        whole = self._texts.pop("train", None) or self._note("train", source, read_texts(source, self.columns, "train"))
        self._texts |= {part: whole.take(numbers) for part, numbers in self._rows(whole).items()}

    def _rows(self, whole: Texts) -> dict[str, list[int]]:
        made = {name: share for name, share in self.share.items() if self.sources[name] is None}
        return make_splits(whole, made, self.seed) if made else {"train": list(range(len(whole)))}

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """Which group (author, patient, dialogue) each training example belongs to, numbered from 0.

        Raises:
            ValueError: no such column, or a row without a group.
        """
        source = cast(str, self.sources["train"])
        whole = read_texts(source, replace(self.columns, group=column), "train")
        names = whole.take(self._rows(whole)["train"]).groups
        if not all(names):
            raise ValueError(
                f"{names.count('')} rows of {source} have nothing in column {column!r}\n"
                "give each a group: who is protected must be known for every text"
            )
        numbers: npt.NDArray[np.int64] = np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1]
        planted = numbers.max() + 1 + np.arange(self.num_planted)
        return np.concatenate([numbers, planted])

    def plant(self, texts: Texts, num_drawn: int) -> None:
        """Add made-up texts after the training texts, each a group of its own; the report says how many.

        Args:
            texts: to add.
            num_drawn: canaries they were chosen from.
        """
        self.add_split("train", self._read("train") + texts)
        self.num_planted = len(texts)
        self.report["canaries"] = {"drawn": num_drawn, "planted among the training texts": len(texts)}

    def add_split(self, name: str, texts: Texts) -> None:
        """Tokenise texts as the others are, and keep them as the split of that name."""
        self.splits[name] = self._tokenised(name, texts)

    def encode(self, texts: list[str]) -> TokenizedTexts:
        """Texts of one's own, without labels, tokenised as those of the splits are."""
        unknown = np.full(len(texts), -1, dtype=np.int64)
        return TokenizedTexts(Texts(list(texts)), unknown, self.tokenizer, self.max_length, self.stop_words)

    def _note(self, name: str, source: str, texts: Texts) -> Texts:
        repeats = len(texts) - len(set(identities(texts)))
        self.report[f"{name} file"] = {
            "source": source, "rows": len(texts), "empty rows left out": texts.num_empty, "duplicates": repeats,
            "broken rows left out": len(texts.broken), "first broken rows": texts.broken[:5],
        }  # fmt: skip
        return texts

    def _tokenised(self, name: str, texts: Texts) -> TokenizedTexts:
        ids = np.full(len(texts), -1, dtype=np.int64) if name == "predict" else self._label_ids(name, texts)
        if self.stop_words is not None and self.stop_words.mode != "off":
            self.stop_words.fit(self._read("train").texts if self.stop_words.words == "corpus" else [])
            dropped_words = None
            if self.stop_words.mode == "drop":
                dropped = None if texts.pairs is None else [self.stop_words.drop(text) for text in texts.pairs]
                texts = Texts([self.stop_words.drop(text) for text in texts.texts], dropped, texts.labels)
                dropped_words = self.stop_words.report()
        split = TokenizedTexts(texts, ids, self.tokenizer, self.max_length, self.stop_words)
        counts = np.bincount(ids[ids >= 0], minlength=len(self.labels)).tolist()
        self.report[name] = {
            "examples": len(split),
            "tokens": int(split.lengths.sum()),
            "cut to max_length": split.tokens.num_truncated,
            "labels": dict(zip(self.labels, counts, strict=True)),
        }
        if self.stop_words is not None and self.stop_words.mode != "off":
            self.report[name]["stop words"] = split.tokens.stop_words or dropped_words
        if name == "train":
            sampler = LengthGroupedBatches(split.lengths, self.batch_size, self.seed)
            self.report[name]["padding waste"] = round(padding_waste(split.lengths, sampler.epoch(0)), 4)
        return split

    def _label_ids(self, name: str, texts: Texts) -> Any:
        number = {label: at for at, label in enumerate(self.labels)}
        unknown = sorted(set(texts.labels) - set(number))
        if unknown:
            raise ValueError(
                f"{name} has labels that are not among the classes: {', '.join(unknown[:5])}\n"
                f"classes: {', '.join(self.labels[:10])}\nmend the file, or set data.init_args.labels"
            )
        return np.asarray([number[label] for label in texts.labels], dtype=np.int64)

    def _compare(self) -> None:
        others = [self._texts[name] for name in ("validation", "test") if name in self._texts]
        try:
            shared: int | str = count_shared(self._read("train"), others)
        except ValueError as problem:  # tested where the training texts are not
            shared = f"unknown: {str(problem).splitlines()[0]}"
        self.report["texts of validation or test that are in train too"] = shared

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
                state[f"{name} texts"] = f"{split.fingerprint} {zlib.crc32(split.label_ids.tobytes())}"
        return state

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
        """Batches to label, in order of length; ``example_id`` tells the row."""
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

    def example(self, split: str, row: int) -> dict[str, str | None]:
        """One example as words: text, pair and label."""
        texts = self.splits[split]
        label = int(texts.label_ids[row])
        pair = None if texts.pairs is None else texts.pairs[row]
        return {"text": texts.texts[row], "pair": pair, "label": self.labels[label] if label >= 0 else None}


def count_taken(trainer: Trainer) -> int:
    """Training batches taken so far, over all epochs and interruptions: those whose step was made, as checkpoints count."""
    taken = int(trainer.fit_loop.epoch_loop.batch_progress.total.processed)  # type: ignore[attr-defined]
    if trainer.overfit_batches > 0:  # type: ignore[attr-defined] # the same few again and again
        return taken % int(trainer.num_training_batches)
    return taken


def sort_labels(labels: list[str]) -> list[str]:
    """The classes in order: by number where all are whole numbers, else by name."""
    found = set(labels)
    if all(label.removeprefix("-").isdecimal() for label in found):
        return sorted(found, key=lambda label: (int(label), label))
    return sorted(found)


def _same(batch: Any) -> Any:
    return batch
