"""``Pairs``: texts and what is to be written of them (a translation, a summary, a headline), from files to batches."""

from typing import Any

import numpy as np
import numpy.typing as npt

from slimlit.data.examples import IGNORED, Column, Examples, cached_columns, hash_all
from slimlit.data.groups import number_groups
from slimlit.data.module import TextModule
from slimlit.data.pair_texts import PairColumns, PairTexts, gather_pairs, open_pairs, read_pairs
from slimlit.data.parts import Parts
from slimlit.data.records import Numbered, Opened
from slimlit.models.sources import read_config
from slimlit.models.tokenizers import identity_of

_CHUNK = 2000


class Pairs(TextModule):
    """Texts with a text to write of each: translations, summaries, headlines; tokenised once, batched by length of both.

    Each of ``train``, ``validation``, ``test`` and ``predict`` is a CSV, TSV, JSONL or Parquet file (``.gz`` too), a saved Hugging
    Face data set, or a hub name. A missing validation or test split is made of the training rows: seeded, and no text on
    two sides. Where a cell holds a list (several summaries of one text), the first is learned from, and what a network
    writes is scored against all.

    Of a batch, ``labels[b, t]`` is the word to be written at place ``t``, the last one the tokenizer's end, and
    ``decoder_input_ids`` are the words before it, the first one the start token.

    Args:
        train: the rows to learn from.
        tokenizer: a run, bundled name, folder or hub name; the one of the network, for both sides.
        validation: rows to choose by.
        test: rows to report on.
        predict: texts to write of; needs no targets.
        source_column: name of the column of texts.
        target_column: name of the column of what is to be written, a text or a list of them.
        learn_column: the column that training learns, where it is not ``target_column``: ``prediction``, as ``predict`` wrote it
            with a teacher. Validation and test are scored against ``target_column`` all the same.
        prefix: put before each text; T5's are like ``"summarize: "``.
        start_token: what the decoder begins with; by default that of the tokenizer's model, or the tokenizer's bos or pad token.
        split: share of the training rows for validation and for test, where these are not given.
        max_length: tokens of a text at most; the rest is cut off, and counted in the report.
        max_target_length: tokens of what is to be written at most, its end included.
        batch_size: examples of a batch, over all processes.
        seed: of made splits and of the order of batches.
    """

    def __init__(
        self,
        train: str,
        tokenizer: str,
        validation: str | None = None,
        test: str | None = None,
        predict: str | None = None,
        source_column: str = "source",
        target_column: str = "target",
        learn_column: str | None = None,
        prefix: str = "",
        start_token: str | None = None,
        split: tuple[float, float] = (0.1, 0.1),
        max_length: int = 128,
        max_target_length: int = 128,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        sources = {"train": train, "validation": validation, "test": test, "predict": predict}
        super().__init__(sources, tokenizer, max_length, batch_size, seed)
        if max_target_length < 3:
            raise ValueError(f"max_target_length is {max_target_length}; expected at least 3 tokens")
        self.source_column = source_column
        self.target_column = target_column
        self.learn_column = learn_column
        self.prefix = prefix
        self.start_token = start_token
        self.max_target_length = max_target_length
        self.references: dict[str, list[list[str]]] = {}
        share = {"validation": split[0], "test": split[1]}
        self.parts = Parts(sources, share, seed, self._read_file)

    @property
    def start_token_id(self) -> int:
        """The number of the token a decoder begins with.

        Raises:
            ValueError: it is no token, or none can be told.
        """
        tokenizer = self.tokenizer
        if self.start_token is not None:
            known = tokenizer.get_vocab()
            if self.start_token not in known:
                raise ValueError(f"start_token {self.start_token!r} is no token of {self.tokenizer_source!r}")
            return int(known[self.start_token])
        own = _start_of_model(self.tokenizer_source)
        for found in (own, tokenizer.bos_token_id, tokenizer.pad_token_id):
            if found is not None:
                return int(found)
        raise ValueError(
            f"the tokenizer {self.tokenizer_source!r} has no bos and no pad token\nname what a decoder begins with: data.init_args.start_token"
        )

    @property
    def end_token_id(self) -> int:
        """The number of the token that ends what is written.

        Raises:
            ValueError: the tokenizer has none.
        """
        end = self.tokenizer.eos_token_id
        end = self.tokenizer.sep_token_id if end is None else end
        if end is None:
            raise ValueError(f"the tokenizer {self.tokenizer_source!r} has no eos token, which says where a text ends")
        return int(end)

    def read_rows(self, name: str) -> PairTexts:
        """Read, and split where files are to be split.

        Raises:
            ValueError: files or columns that are not as expected.
        """
        rows = self.parts.of(name)
        if self.learn_column is not None:
            for part in self.parts.made.keys() & self.parts.known.keys():
                self._score_against_targets(part)
        return rows

    def make_split(self, name: str, found: PairTexts) -> Examples:
        """Tokenise."""
        self.references[name] = found.references
        split = self._examples(found, is_asked=name != "predict")
        self.report[name] = {
            "examples": len(split),
            "tokens": int(split.columns["input_ids"].lengths.sum()),
            "tokens to write": int((split.columns["labels"].values != IGNORED).sum()),
            **split.notes,
        }
        several = sum(len(references) > 1 for references in found.references)
        if several:
            self.report[name]["with several references"] = several
        return split

    def open_rows(self, name: str) -> Opened:
        """The rows of the source of a split, as they are read.

        Raises:
            ValueError: there is no such source, or it has other columns.
        """
        return open_pairs(self.parts.source(name), self._pair_columns(name), name)

    def gather(self, rows: list[Numbered], name: str) -> PairTexts:
        """The texts of rows, and what is to be written of them."""
        return gather_pairs(rows, self._pair_columns(name), name)

    def groups(self, column: str) -> npt.NDArray[np.int64]:
        """Which group (author, customer, document) each training text belongs to, numbered from 0.

        Raises:
            ValueError: no such column, or a text without a group.
        """
        whole = read_pairs(self.parts.source("train"), self._pair_columns("train"), "train")
        return number_groups(self.parts, whole, self.open_rows("train"), column)

    def _pair_columns(self, name: str) -> PairColumns:
        return PairColumns(self.source_column, self.target_column, self.learn_column if name == "train" else None)

    def finish_setup(self, names: list[str]) -> None:
        """Count texts that are on two sides."""
        if "train" in names:
            self.note_padding("train")
        if set(names) & {"validation", "test"}:
            self.report["texts of validation or test that are in train too"] = self.parts.num_shared()

    def encode(self, texts: list[str]) -> Examples:
        """Texts of one's own, tokenised as those of the splits are, with nothing to be written of them."""
        return self._examples(PairTexts(list(texts), ["" for _ in texts], [[] for _ in texts]), is_asked=False)

    def example(self, split: str, row: int) -> dict[str, Any]:
        """One example as words: its text and its references."""
        return {"source": self.splits[split].texts[row], "references": self.references[split][row]}

    def _score_against_targets(self, name: str) -> None:
        rows = self.parts.known[name]
        if not all(rows.references):
            raise ValueError(
                f"{name} rows are taken from {self.sources['train']}, which has no column {self.target_column!r} to score against\n"
                f"name a file with references: --data.{name} FILE"
            )
        rows.targets = [references[0] for references in rows.references]

    def _read_file(self, source: str, name: str) -> PairTexts:
        rows = read_pairs(source, self._pair_columns(name), name)
        repeats = len(rows) - len(set(zip(rows.texts, rows.targets, strict=True)))
        self.note_file(name, source, rows, duplicates=repeats)
        return rows

    def _examples(self, rows: PairTexts, is_asked: bool) -> Examples:
        settings = {
            "module": "pairs", "lengths": [self.max_length, self.max_target_length], "asked": is_asked,
            "start and end": [self.start_token_id, self.end_token_id], "tokenizer": identity_of(self.tokenizer),
        }  # fmt: skip
        texts = [self.prefix + text for text in rows.texts]
        key = hash_all(settings, texts, rows.targets if is_asked else None)
        columns, notes = cached_columns(key, lambda: self._columns(texts, rows.targets if is_asked else None), is_asked)
        return Examples(columns, key, rows.texts, rows.targets if is_asked else None, notes)

    def _columns(self, texts: list[str], targets: list[str] | None) -> tuple[dict[str, Column], dict[str, Any]]:
        sources, num_cut = self._tokens(texts, self.max_length)
        answers: list[list[int]] = [[] for _ in texts]
        num_cut_targets = 0
        if targets is not None:
            answers, num_cut_targets = self._tokens(targets, self.max_target_length)
        begun = [[self.start_token_id, *answer[:-1]] for answer in answers]
        asked = [answer or [IGNORED] for answer in answers]
        pad = int(self.tokenizer.pad_token_id or 0)
        columns = {
            "input_ids": Column.of(sources, pad),
            "decoder_input_ids": Column.of(begun, pad),
            "labels": Column.of(asked, IGNORED),
        }
        return columns, {"cut to max_length": num_cut, "cut to max_target_length": num_cut_targets}

    def _tokens(self, texts: list[str], max_length: int) -> tuple[list[list[int]], int]:
        """Those of each text as the tokenizer writes them, and its end where it writes none; how many were cut."""
        tokenizer, end, found, num_cut = self.tokenizer, self.end_token_id, [], 0
        closes = tokenizer("").input_ids[-1:] == [end]
        room = max_length if closes else max_length - 1
        for start in range(0, len(texts), _CHUNK):
            encoded = tokenizer(texts[start : start + _CHUNK], truncation=True, max_length=room).encodings
            for one in encoded or []:
                found.append(one.ids if closes else [*one.ids, end])
                num_cut += bool(one.overflowing)
        return found, num_cut


def _start_of_model(source: str) -> int | None:
    """What the decoder of the tokenizer's own model begins with, where it is a model and has one."""
    try:
        config = read_config(source)
    except ValueError:
        return None
    start: int | None = config.to_dict().get("decoder_start_token_id")
    return start if config.is_encoder_decoder else None
