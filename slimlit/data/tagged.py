"""``Tagged``: a split of sentences as sub-words, with the word each belongs to, and the tags of all words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from slimlit.data.examples import IGNORED, Column, Examples, cached_columns, hash_all
from slimlit.data.sentences import Sentences, Span
from slimlit.models.tokenizers import Tokenizer, identity_of
from slimlit.types import Batch

_CHUNK = 1000
Ids = npt.NDArray[np.int64]


@dataclass
class Tagged(Examples):
    """Sentences as sub-words: ``labels`` asks the first sub-word of each word, ``word_ids`` says whose each sub-word is (-1: none's).

    Guarantees:
        - a tag stays with its word, whatever the tokenizer merges, drops or cuts.

    Args:
        sentences: the words of each, all of them, also those that were cut off.
        tags: of each word; no sentence has any where they are to be found.
        label_ids: one class a sentence, to choose different ones to look at: that of its first entity; -1 where not known.
        spans: where each word stands in its text; none where words were given.
    """

    sentences: Sequence[Sequence[str]] = ()
    tags: Sequence[Sequence[str]] = ()
    spans: Sequence[Sequence[Span]] = ()
    label_ids: Ids = field(default_factory=lambda: np.zeros(0, np.int64))

    def _filler(self, size: int) -> Batch:
        filler = cast(dict[str, torch.Tensor], super()._filler(size))
        if "teacher_attention_mask" in filler:  # one padding token, which a teacher may read without dividing by zero
            filler["teacher_attention_mask"] = torch.ones_like(filler["teacher_attention_mask"])
        return cast(Batch, filler)


def tokenise(
    sentences: Sentences,
    classes: Sequence[Ids],
    tokenizer: Tokenizer,
    max_length: int,
    teacher: Tokenizer | None = None,
) -> Tagged:
    """The sentences as sub-words, cached by content.

    Where a teacher has a tokenizer of its own, ``teacher_input_ids`` are the same words in its sub-words, and ``teacher_places``
    says for the first sub-word of each word which of the teacher's that is. A word the teacher cannot see asks nothing.

    Args:
        sentences: their words.
        classes: of each word of each sentence; empty where tags are to be found.
        tokenizer: of the student.
        max_length: sub-words of a sentence at most, special ones included; later words are cut off and counted.
        teacher: the teacher's tokenizer, where it is another.
    """
    joined = [
        " ".join(words) if text is None else text for words, text in zip(sentences.words, sentences.texts, strict=True)
    ]
    settings = ["tags", max_length, identity_of(tokenizer), None if teacher is None else identity_of(teacher)]
    settings.append([tags.tolist() for tags in classes])
    fingerprint = hash_all(settings, [json.dumps(words) for words in sentences.words])
    columns, notes = cached_columns(
        fingerprint, lambda: _columns(sentences, classes, tokenizer, max_length, teacher), bool(classes)
    )
    kinds = [next((int(tag) for tag in tags if tag > 0), 0) for tags in classes] if classes else [-1] * len(sentences)
    given = (sentences.words, sentences.tags, sentences.spans)
    return Tagged(columns, fingerprint, joined, None, notes, *given, np.asarray(kinds, dtype=np.int64))


def _columns(
    sentences: Sentences, classes: Sequence[Ids], tokenizer: Tokenizer, max_length: int, teacher: Tokenizer | None
) -> tuple[dict[str, Column], dict[str, Any]]:
    ours = encode_words(sentences.words, tokenizer, max_length)
    # a teacher may need more sub-words for the same words
    longest = 0 if teacher is None else min(teacher.model_max_length, max(512, max_length))
    theirs = None if teacher is None else encode_words(sentences.words, teacher, longest)
    labels, places = [], []
    num_dropped = num_unseen = 0
    for row, (ids, word_ids, num_cut) in enumerate(ours):
        first = first_of_words(word_ids)
        asked = np.full(len(ids), IGNORED, dtype=np.int16)
        if classes:
            asked[first] = classes[row][word_ids[first]]
        num_dropped += len(sentences.words[row]) - len(first) - num_cut
        if theirs is not None:
            place = np.zeros(len(ids), dtype=np.int64)
            place[first] = _places(theirs[row][1], len(sentences.words[row]))[word_ids[first]]
            asked[place < 0] = IGNORED
            num_unseen += int((place < 0).sum())
            places.append(np.maximum(place, 0))
        labels.append(asked)
    columns = {
        "input_ids": Column.of([ids for ids, _, _ in ours], int(tokenizer.pad_token_id or 0)),
        "labels": Column.of(labels, IGNORED, np.int16),
        "word_ids": Column.of([word_ids for _, word_ids, _ in ours], -1),
    }
    notes = {
        "words": sum(map(len, sentences.words)),
        "sentences cut to max_length": sum(num_cut > 0 for _, _, num_cut in ours),
        "words cut off": sum(num_cut for _, _, num_cut in ours),
        "words the tokenizer drops": num_dropped,
    }
    if teacher is not None and theirs is not None:
        columns["teacher_input_ids"] = Column.of([ids for ids, _, _ in theirs], int(teacher.pad_token_id or 0))
        columns["teacher_attention_mask"] = Column.of([np.ones(len(ids)) for ids, _, _ in theirs], 0, np.int8)
        columns["teacher_places"] = Column.of(places)
        notes["words the teacher cannot see"] = num_unseen
    return columns, notes


def first_of_words(word_ids: Ids) -> Ids:
    """The places where a word begins."""
    return np.flatnonzero((word_ids >= 0) & (word_ids != np.concatenate([[-1], word_ids[:-1]])))


def _places(word_ids: Ids, num_words: int) -> Ids:
    """The first sub-word of each word, -1 where it has none."""
    places = np.full(num_words, -1, dtype=np.int64)
    first = first_of_words(word_ids)
    places[word_ids[first]] = first
    return places


def encode_words(
    sentences: Sequence[Sequence[str]], tokenizer: Tokenizer, max_length: int
) -> list[tuple[Ids, Ids, int]]:
    """The sub-words of each sentence, the word each belongs to (-1: none's), and how many words were cut off."""
    space = " " if _adds_no_space(json.loads(tokenizer.backend_tokenizer.to_str())["pre_tokenizer"]) else ""
    found = []
    for start in range(0, len(sentences), _CHUNK):
        chunk = [[space + word for word in words] for words in sentences[start : start + _CHUNK]]
        encoded = tokenizer(chunk, is_split_into_words=True, truncation=True, max_length=max_length).encodings
        for one in encoded or []:
            word_ids = np.asarray([-1 if word is None else word for word in one.word_ids], dtype=np.int64)
            cut = {word for part in one.overflowing for word in part.word_ids if word is not None}
            found.append((np.asarray(one.ids, dtype=np.int64), word_ids, len(cut - set(word_ids.tolist()))))
    return found


def _adds_no_space(pre_tokenizer: dict[str, Any] | None) -> bool:
    """Whether words must come with the space before them: byte-level tokenizers know most words only so."""
    parts = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer or {}])
    return any(part.get("type") == "ByteLevel" and not part.get("add_prefix_space") for part in parts)
