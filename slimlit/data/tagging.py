"""Tagging: sentences of words with a tag each, as a LightningDataModule."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.data.examples import IGNORED
from slimlit.data.groups import number_groups
from slimlit.data.module import TextModule
from slimlit.data.parts import Parts
from slimlit.data.records import Numbered, Opened
from slimlit.data.sentences import (
    Sentences,
    TagColumns,
    gather_sentences,
    open_sentences,
    read_sentences,
    split_words,
)
from slimlit.data.splits import identities
from slimlit.data.tagged import Tagged, tokenise
from slimlit.models.tokenizers import Tokenizer, load_tokenizer


class Tagging(TextModule):
    """Words with one BIO tag each: names in news, slots of a request; checked, repaired, split, and tokenised once.

    Each of ``train``, ``validation``, ``test`` is a file of JSON lines (a list of words and one of tags), a CoNLL file
    (``.conll``, ``.bio``, ``.txt``: a word and its tag a line, a blank line between sentences), ``.gz`` too, Parquet, a saved
    Hugging Face data set, or a hub name; ``predict`` has words without tags, or texts (also ``.txt``, one a line). A
    missing validation or test split is made of the training sentences.

    The first sub-word of a word carries its tag; the others are not asked. Words cut off by ``max_length``, and those of
    which a tokenizer leaves nothing (a space), are counted in the report, and scored as ``O``. Kinds of entities that come in
    ``validation`` or ``test`` alone are reported, ask the loss nothing, and count as missed.

    After ``setup``: ``labels`` (``O`` first), ``tokenizer``, ``splits`` (by name) and ``report``.

    Args:
        train: the sentences to learn from.
        tokenizer: a run, bundled name, folder or hub name; the one of the network.
        validation: sentences to choose by.
        test: sentences to report on.
        predict: sentences to tag.
        token_column: name of the column of words; in a CoNLL file its number from 0, the first unless given.
        tag_column: name of the column of tags; in a CoNLL file its number from 0, the last unless given.
        text_column: name of the column of texts to tag, where words are not given.
        labels: the classes in order; ``O``, then ``B-`` and ``I-`` of each kind in ``train``, sorted, unless given.
        split: share of the training sentences for validation and for test, where these are not given.
        teacher_tokenizer: the teacher's, where it is another: the teacher then reads the same words in its own sub-words.
        max_length: tokens of a sentence at most.
        batch_size: sentences of a batch, over all processes.
        seed: of made splits and of the order of batches.
    """

    def __init__(
        self,
        train: str,
        tokenizer: str,
        validation: str | None = None,
        test: str | None = None,
        predict: str | None = None,
        token_column: str = "tokens",
        tag_column: str = "ner",
        text_column: str = "text",
        labels: list[str] | None = None,
        split: tuple[float, float] = (0.1, 0.1),
        teacher_tokenizer: str | None = None,
        max_length: int = 128,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        sources = {"train": train, "validation": validation, "test": test, "predict": predict}
        super().__init__(sources, tokenizer, max_length, batch_size, seed)
        self.columns = TagColumns(token_column, tag_column, text_column)
        self.labels = list(labels or [])
        self.teacher_tokenizer_source = teacher_tokenizer
        share = {"validation": split[0], "test": split[1]}
        self.parts = Parts(sources, share, seed, self._read_file, "sentences")
        self._teacher_tokenizer: Tokenizer | None = None

    @property
    def teacher_tokenizer(self) -> Tokenizer | None:
        """The teacher's own, loaded when first asked for; None where it reads the student's tokens."""
        if self._teacher_tokenizer is None and self.teacher_tokenizer_source is not None:
            self._teacher_tokenizer = load_tokenizer(self.teacher_tokenizer_source)
        return self._teacher_tokenizer

    def read_rows(self, name: str) -> Sentences:
        """Read, repair, and split where files are to be split.

        Raises:
            ValueError: files, columns or tags that are not as expected.
        """
        return self.parts.of(name)

    def make_split(self, name: str, found: Sentences) -> Tagged:
        """Tokenise.

        Raises:
            ValueError: tags that are not as expected.
        """
        if not self.labels:
            self.labels = find_labels(self.parts.for_labels(name).tags)
        classes = [] if name == "predict" else self._classes(name, found)
        teacher = None if name == "predict" else self.teacher_tokenizer
        split = tokenise(found, classes, self.tokenizer, self.max_length, teacher)
        counts = Counter(tag for tags in found.tags for tag in tags)
        tags = {"tags": {label: counts[label] for label in self.labels}} if classes else {}
        self.report[name] = {"examples": len(split), "tokens": int(split.lengths.sum()), **split.notes, **tags}
        return split

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read.

        Raises:
            ValueError: there is no such source, or it has other columns.
        """
        return open_sentences(self.parts.source(name), self._columns(name), name)

    def gather(self, rows: list[Numbered], name: str) -> Sentences:
        """The sentences of rows."""
        return gather_sentences(rows, self._columns(name))

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """Which group (author, patient, document) each training sentence belongs to, numbered from 0.

        Raises:
            ValueError: no such column, or a sentence without a group.
        """
        source = self.parts.source("train")
        whole = read_sentences(source, self.columns, "train")
        whole.repair(source)
        return number_groups(self.parts, whole, self.open_rows("train"), column)

    def _columns(self, name: str) -> TagColumns:
        return self.columns if name != "predict" else TagColumns(self.columns.tokens, None, self.columns.text)

    def finish_setup(self, names: list[str]) -> None:
        """Count sentences that are on two sides."""
        if "train" in names:
            self.note_padding("train")
        if set(names) & {"validation", "test"}:
            self.report["sentences of validation or test that are in train too"] = self.parts.num_shared()

    def encode(self, texts: list[str]) -> Tagged:
        """Texts of one's own, without tags, as sub-words of their words."""
        spans = [split_words(text) for text in texts]
        words = [[text[start:end] for start, end in places] for text, places in zip(texts, spans, strict=True)]
        return tokenise(Sentences(words, [], list(texts), spans), [], self.tokenizer, self.max_length)

    def example(self, split: str, row: int) -> dict[str, Any]:
        """One example as words, and their tags."""
        found = self.splits[split]
        return {"tokens": list(found.sentences[row]), "tags": list(found.tags[row]) if found.tags else None}

    def _read_file(self, source: str, name: str) -> Sentences:
        found = read_sentences(source, self._columns(name), name)
        repairs = found.repair(source)
        self.note_file(name, source, found, duplicates=len(found) - len(set(identities(found.as_texts()))), **repairs)
        return found

    def _classes(self, name: str, sentences: Sentences) -> list[npt.NDArray[np.int64]]:
        """The class of each word; a tag that training never saw asks nothing, and scores still count it."""
        number = {label: at for at, label in enumerate(self.labels)}
        found = Counter(tag for tags in sentences.tags for tag in tags)
        unknown = {tag: count for tag, count in sorted(found.items()) if tag not in number}
        if unknown and (name == "train" or not (found.keys() - unknown.keys() - {"O"})):
            raise ValueError(
                f"{name} has tags that are not among the classes: {', '.join(list(unknown)[:5])}\n"
                f"classes: {', '.join(self.labels[:10])}\nmend the file, or set data.init_args.labels"
            )
        self.report[f"{name} tags that are no class"] = unknown
        return [np.asarray([number.get(tag, IGNORED) for tag in tags], dtype=np.int64) for tags in sentences.tags]


def find_labels(tags: list[list[str]]) -> list[str]:
    """``O``, then ``B-`` and ``I-`` of each kind of entity, sorted.

    Raises:
        ValueError: no entity at all.
    """
    kinds = sorted({tag.partition("-")[2] for sentence in tags for tag in sentence if tag != "O"})
    if not kinds:
        raise ValueError("every tag is O, so there is nothing to find\nexpected tags such as B-PER, I-PER, O")
    return ["O", *(f"{prefix}-{kind}" for kind in kinds for prefix in ("B", "I"))]
