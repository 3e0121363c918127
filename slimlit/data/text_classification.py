"""``TextClassification``: labelled texts, or pairs of texts, from files to batches."""

from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.data.files import Columns, Texts, gather_texts, open_texts, read_texts
from slimlit.data.groups import number_groups
from slimlit.data.module import TextModule
from slimlit.data.parts import Parts
from slimlit.data.records import Numbered, Opened
from slimlit.data.splits import identities
from slimlit.data.tokenized import TokenizedTexts
from slimlit.text.stop_words import StopWords


class TextClassification(TextModule):
    """Texts with one label each, read from files, cleaned, split, tokenised once, and batched by length.

    Each of ``train``, ``validation``, ``test`` and ``predict`` is a CSV, TSV, JSONL or Parquet file (``.gz`` too), a
    saved Hugging Face data set, a bundled name (``rotten-tomatoes``), a hub name, or a folder with files of each split. A missing
    validation or test split is the folder's, or made of the training texts: seeded, stratified, duplicates never on both sides.

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
        sources = {"train": train, "validation": validation, "test": test, "predict": predict}
        super().__init__(sources, tokenizer, max_length, batch_size, seed)
        self.columns = Columns(text_column, pair_column, label_column)
        self.labels = list(labels or [])
        self.stop_words = stop_words
        share = {"validation": split[0], "test": split[1]}
        self.parts = Parts(sources, share, seed, self._read_file)

    def read_rows(self, name: str) -> Texts:
        """Read, and split where files are to be split.

        Raises:
            ValueError: files or columns that are not as expected.
        """
        return self.parts.of(name)

    def make_split(self, name: str, found: Texts) -> TokenizedTexts:
        """Tokenise.

        Raises:
            ValueError: labels that are not as expected.
        """
        if not self.labels:
            self.labels = sort_labels(self.parts.for_labels(name).labels)
        if len(self.labels) < 2:
            raise ValueError(
                f"{self.sources['train']} has one class only: {self.labels[0]}\n"
                f"expected two or more in column {self.columns.label!r}"
            )
        return self._tokenised(name, found)

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read.

        Raises:
            ValueError: there is no such source, or it has other columns.
        """
        return open_texts(self.parts.source(name), self._columns(name), name)

    def gather(self, rows: list[Numbered], name: str) -> Texts:
        """The texts of rows."""
        return gather_texts(rows, self._columns(name))

    def _columns(self, name: str) -> Columns:
        return self.columns if name != "predict" else Columns(self.columns.text, self.columns.pair, None)

    def finish_setup(self, names: list[str]) -> None:
        """Count texts that are on two sides."""
        if "train" in names:
            self.note_padding("train")
        if set(names) & {"validation", "test"}:
            self.report["texts of validation or test that are in train too"] = self.parts.num_shared()

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """Which group (author, patient, dialogue) each training example belongs to, numbered from 0.

        Raises:
            ValueError: no such column, or a row without a group.
        """
        whole = read_texts(self.parts.source("train"), self.columns, "train")
        numbers = number_groups(self.parts, whole, self.open_rows("train"), column)
        planted = numbers.max() + 1 + np.arange(self.num_planted)
        return np.concatenate([numbers, planted])

    def plant(self, texts: Texts, num_drawn: int) -> None:
        """Add made-up texts after the training texts, each a group of its own; the report says how many.

        Args:
            texts: to add.
            num_drawn: canaries they were chosen from.
        """
        self.add_split("train", self.parts.of("train") + texts)
        self.note_padding("train")
        self.num_planted = len(texts)
        self.report["canaries"] = {"drawn": num_drawn, "planted among the training texts": len(texts)}

    def encode(self, texts: list[str]) -> TokenizedTexts:
        """Texts of one's own, without labels, tokenised as those of the splits are."""
        unknown = np.full(len(texts), -1, dtype=np.int64)
        return TokenizedTexts(Texts(list(texts)), unknown, self.tokenizer, self.max_length, self.stop_words, False)

    def _read_file(self, source: str, name: str) -> Texts:
        texts = read_texts(source, self._columns(name), name)
        self.note_file(name, source, texts, duplicates=len(texts) - len(set(identities(texts))))
        return texts

    def _tokenised(self, name: str, texts: Texts) -> TokenizedTexts:
        ids = np.full(len(texts), -1, dtype=np.int64) if name == "predict" else self._label_ids(name, texts)
        if self.stop_words is not None and self.stop_words.mode != "off":
            self.stop_words.fit(self.parts.of("train").texts if self.stop_words.words == "corpus" else [])
            dropped_words = None
            if self.stop_words.mode == "drop":
                dropped = None if texts.pairs is None else [self.stop_words.drop(text) for text in texts.pairs]
                texts = Texts([self.stop_words.drop(text) for text in texts.texts], dropped, texts.labels)
                dropped_words = self.stop_words.report()
        split = TokenizedTexts(texts, ids, self.tokenizer, self.max_length, self.stop_words, name != "predict")
        counts = np.bincount(ids[ids >= 0], minlength=len(self.labels)).tolist()
        self.report[name] = {
            "examples": len(split),
            "tokens": int(split.lengths.sum()),
            "cut to max_length": split.tokens.num_truncated,
            "labels": dict(zip(self.labels, counts, strict=True)),
        }
        if self.stop_words is not None and self.stop_words.mode != "off":
            self.report[name]["stop words"] = split.tokens.stop_words or dropped_words
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

    def example(self, split: str, row: int) -> dict[str, str | None]:
        """One example as words: text, pair and label."""
        texts = self.splits[split]
        label = int(texts.label_ids[row])
        pair = None if texts.pairs is None else texts.pairs[row]
        return {"text": texts.texts[row], "pair": pair, "label": self.labels[label] if label >= 0 else None}


def sort_labels(labels: list[str]) -> list[str]:
    """The classes in order: by number where all are whole numbers, else by name."""
    found = set(labels)
    if all(label.removeprefix("-").isdecimal() for label in found):
        return sorted(found, key=lambda label: (int(label), label))
    return sorted(found)
