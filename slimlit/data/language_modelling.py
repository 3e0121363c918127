"""``LanguageModelling``: plain text, for models that say the next word or the hidden ones, packed into full rows."""

from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from slimlit.data.documents import ENDINGS, Corpus, Documents, gather_documents, open_documents, read_documents
from slimlit.data.examples import Column, cached_columns, hash_all
from slimlit.data.files import Texts
from slimlit.data.groups import number_groups
from slimlit.data.masking import Batches, InEpochs, MaskedRows, Masking, swappable
from slimlit.data.module import ResumableLoader, TextModule, count_taken
from slimlit.data.parts import Parts
from slimlit.data.pieces import Around, masked_pieces, next_word_pieces
from slimlit.data.records import Numbered, Opened
from slimlit.data.shard_rows import ShardRows, find_shards
from slimlit.data.text_rows import TextRows, lay_rows
from slimlit.data.tokenized import fingerprint

VERSION = 1


class LanguageModelling(TextModule):
    """Documents to learn a language from: tokenised once, cut where too long, and packed.

    A source is a text file (``.txt``, ``.gz`` too), JSON lines, a table, a bundled text, a folder with ``train.jsonl`` (or
    ``train-00000.jsonl`` and more, or ``train/`` as ``slimlit prepare`` writes it), or a folder of token shards, with other splits in
    subfolders or named. A missing validation or test split is the folder's, or
    made of the training documents.

    Without ``masking`` a label is the next word, and the end of a document is a word to say. With it, hidden words are asked
    for; those of validation and test never change.

    Guarantees:
        - no label reaches into another document, and with ``packing`` no attention does (the task checks the architecture);
        - every token of a document, but its first where the tokenizer puts none before it, is asked for once (masking: may be).

    Args:
        train: the text to learn from.
        tokenizer: a run, bundled name, folder or hub name; the one of the network.
        validation: text to choose by.
        test: text to report on.
        predict: texts to continue (or with hidden words to find).
        text_column: of the text, in files with columns.
        documents: what a document of a text file is: ``lines``, ``paragraphs`` (between empty lines), ``headings`` (a WikiText
            article under its ``= Title =``), or the whole ``file``.
        packing: fill rows with several pieces of documents; else each piece is an example.
        masking: how words are hidden, for a masked language model.
        split: share of the training documents for validation and for test, where these are not given.
        max_length: tokens of a row at most.
        batch_size: rows of a batch, over all processes.
        seed: of made splits, of the order of batches and of what is hidden.
    """

    endings: ClassVar[tuple[str, ...]] = ENDINGS

    def __init__(
        self,
        train: str,
        tokenizer: str,
        validation: str | None = None,
        test: str | None = None,
        predict: str | None = None,
        text_column: str = "text",
        documents: Documents = "lines",
        packing: bool = True,
        masking: Masking | None = None,
        split: tuple[float, float] = (0.1, 0.1),
        max_length: int = 512,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        sources = {"train": train, "validation": validation, "test": test, "predict": predict}
        super().__init__(sources, tokenizer, max_length, batch_size, seed)
        self.text_column, self.documents = text_column, documents
        self.packing, self.masking = packing, masking
        share = {"validation": split[0], "test": split[1]}
        self.parts = Parts(sources, share, seed, self._read_file)

    def read_rows(self, name: str) -> Corpus | Path:
        """Read, and split where files are to be split; of token shards, their folder.

        Raises:
            ValueError: files or columns that are not as expected.
        """
        train, own = str(self.sources["train"]), self.sources[name]
        folder = None if name == "predict" else find_shards(own or train, name, own is not None)
        if folder is not None:
            return folder
        if own is None and name != "predict" and find_shards(train, "train", True) is not None:
            raise ValueError(
                f"{train} holds token shards, of which no {name} texts can be made\n"
                f"write shards into {Path(train) / name}, or name texts or shards: data.init_args.{name}"
            )
        return self.parts.of(name)

    def make_split(self, name: str, found: Corpus | Path) -> TextRows | ShardRows:
        """Cut and pack.

        Raises:
            ValueError: a tokenizer without a mask token, or shards where texts are needed.
        """
        if self.masking is not None and self.tokenizer.mask_token_id is None:
            raise ValueError(
                f"the tokenizer {self.tokenizer_source!r} has no mask token\nuse a tokenizer of a masked model such as BERT"
            )
        if isinstance(found, Path):
            return self._rows_of_shards(found, name)
        corpus = found
        if name == "predict":
            return self._prompts(corpus.texts)
        packing, masking = self.packing, self.masking
        kind = [] if masking is None else [masking.whole_words, masking.language]
        settings = [VERSION, fingerprint(Texts(), self.tokenizer, self.max_length, None), packing, kind, self._end()]
        key = hash_all(settings, corpus.texts)
        pad = int(self.tokenizer.pad_token_id or 0)

        def make() -> tuple[dict[str, Column], dict[str, Any]]:
            if masking is None:
                pieces = next_word_pieces(corpus.texts, self.tokenizer, self.max_length)
            else:
                words = (masking.whole_words, masking.language)
                pieces = masked_pieces(corpus.texts, self.tokenizer, self.max_length, *words)
            return lay_rows(pieces, pad, self.max_length, packing)

        columns, notes = cached_columns(key, make)
        columns = dict(columns)
        num_bytes, documents = (columns.pop(name).values for name in ("num_bytes", "documents"))
        self.report[name] = {"documents": len(corpus), **notes}
        known: dict[str, Any] = {"texts": corpus.texts, "notes": notes, "num_bytes": num_bytes, "documents": documents}
        if masking is None:
            return TextRows(columns, key, **known)
        mask = int(self.tokenizer.mask_token_id or 0)
        hidden = hash_all([key, masking.share, self.seed, masking.every_epoch, "drawn by content"])
        return MaskedRows(
            columns, hidden, **known, masking=masking, seed=self.seed, mask=mask, others=swappable(self.tokenizer)
        )

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read.

        Raises:
            ValueError: there is no such source, or it has other columns.
        """
        lines: Documents = "lines" if name == "predict" else self.documents
        return open_documents(self.parts.source(name), name, lines, self.text_column)

    def gather(self, rows: list[Numbered], name: str) -> Corpus:
        """The documents of rows."""
        return gather_documents(rows, self.text_column)

    def finish_setup(self, names: list[str]) -> None:
        """Count documents that are on two sides, where their texts are there."""
        if "train" in self.parts.known:
            self.report["documents of validation or test that are in train too"] = self.parts.num_shared()

    def _rows_of_shards(self, folder: Path, name: str) -> ShardRows:
        if self.masking is not None or not self.packing:
            raise ValueError(
                f"{folder} holds token shards, which are packed and ask for the next word\n"
                "for masking or packing: false give the texts themselves"
            )
        rows = ShardRows(folder, self.tokenizer, self.max_length)
        self.report[name] = {"documents": len(rows.shards), **rows.notes}
        return rows

    def _end(self) -> list[Any]:
        around = Around.of(self.tokenizer)
        return [around.before, around.after, self.tokenizer.eos_token_id, self.tokenizer.mask_token_id]

    def _prompts(self, texts: list[str]) -> TextRows:
        """Texts as they are, their ends where they are too long."""
        around = Around.of(self.tokenizer)
        after = [] if self.masking is None else around.after
        room = self.max_length - len(around.before) - len(after)
        ids = [self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids for text in texts]
        rows = [[*around.before, *one[-room:], *after] for one in ids]
        columns = {"input_ids": Column.of(rows, int(self.tokenizer.pad_token_id or 0))}
        columns["labels"] = Column.of([[-100] * len(row) for row in rows], -100)
        self.report["predict"] = {"documents": len(texts), "cut to max_length": sum(len(one) > room for one in ids)}
        return TextRows(columns, hash_all([VERSION, self.max_length, self._end()], texts), texts)

    def _read_file(self, source: str, name: str) -> Corpus:
        lines: Documents = "lines" if name == "predict" else self.documents
        found = read_documents(source, name, lines, self.text_column)
        self.note_file(name, source, found)
        return found

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """The document each training example is of (``document``), or its group by another column of the file.

        Raises:
            ValueError: rows are packed of several documents, there is no such column, or a document without a group.
        """
        rows = self.splits["train"]
        if self.packing:
            raise ValueError(
                "rows are packed of several documents, each with a group of its own\nset data.init_args.packing to false"
            )
        if column == "document":
            documents: npt.NDArray[np.int64] = np.unique(rows.documents, return_inverse=True)[1]
            return documents
        train = str(self.sources["train"])
        if column == self.text_column:
            raise ValueError(
                f"column {column!r} of {train} holds the documents themselves\n"
                "name the one that tells whose each is, or protect each alone: group_column: document"
            )
        whole = read_documents(train, "train", self.documents, self.text_column)
        numbers = number_groups(self.parts, whole, self.open_rows("train"), column)
        found: npt.NDArray[np.int64] = np.unique(numbers[rows.documents], return_inverse=True)[1]
        return found

    def unprotected(self, group_column: str | None) -> str | None:
        """Why a step that clips and counts examples would not protect documents; None where it does."""
        if self.packing:
            return (
                "rows are packed of several documents, and one document less would pack all others anew\n"
                "set data.init_args.packing to false"
            )
        cut = int(self.splits["train"].notes["documents cut"])
        if cut and group_column is None:
            return (
                f"{cut:,} documents stand in several examples, and each example alone would be protected\n"
                "set DifferentialPrivacy.group_column to document, which protects each whole"
            )
        return None

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled batches, from where the trainer stopped; each knows the epoch whose words are hidden."""
        loader = super().train_dataloader()
        if self.masking is None:
            return loader
        trainer = self.trainer
        taken = None if trainer is None else partial(count_taken, trainer)
        return ResumableLoader(
            self.splits["train"],
            batch_sampler=InEpochs(cast(Batches, loader.batch_sampler), taken),
            collate_fn=loader.collate_fn,
        )
