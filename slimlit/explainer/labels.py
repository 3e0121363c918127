"""Questions to networks that label: the class of a text, the tags of its entities, and the mistakes they are surest of."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.data.batches import SortedBatches
from slimlit.data.tagged import encode_words, first_of_words
from slimlit.explain.words import Word, find_words, words_of_ids, words_of_sentence
from slimlit.explainer.asked import Asked, One, one_row, row_of, to_device
from slimlit.models import PreTrainedModel, read
from slimlit.models.tokenizers import special_ids

_NONE = "O"


def ask_classes(student: PreTrainedModel, data: Any, name: str, rows: Sequence[int], errors: int | None) -> list[Asked]:
    """Why each text has the class it is given; with ``errors``, of so many wrong ones that the student is surest of."""
    split, said = data.splits[name], {}
    for row, probabilities in _answers(student, split, rows):
        said[row] = probabilities
    known = {row: int(split.label_ids[row]) for row in rows}
    if errors is not None:
        wrong = [row for row in rows if known[row] >= 0 and int(said[row].argmax()) != known[row]]
        rows = sorted(wrong, key=lambda row: (-float(said[row].max()), row))[:errors]
    found = []
    for row in rows:
        best = int(said[row].argmax())
        expected = data.labels[known[row]] if known[row] >= 0 else None
        found.append(_text(data, name, row, One(best, data.labels[best], expected=expected)))
    return found


def _text(data: Any, name: str, row: int, question: One) -> Asked:
    split, batch = data.splits[name], row_of(data.splits[name], row)
    ids = batch["input_ids"][0].tolist()
    texts = [split.texts[row]] if split.pairs is None else [split.texts[row], split.pairs[row]]
    tokenizer = data.tokenizer
    encoding = tokenizer(*texts, truncation=True, max_length=len(ids)).encodings[0]
    if encoding.ids == ids:
        words = find_words(encoding, texts)
    else:
        words = words_of_ids(ids, tokenizer.decode, special_ids(tokenizer))
    hidden, sides = [], []
    if "pooling_mask" in batch:
        seen = batch["pooling_mask"][0].tolist()
        hidden = [place for place, word in enumerate(words) if not any(seen[token] for token in word.tokens)]
    if split.pairs is not None and encoding.ids == ids:
        second = next((token for token, side in enumerate(encoding.sequence_ids) if side == 1), None)
        sides = [("pair", at) for at, word in enumerate(words) if second in word.tokens]
    cut = bool(encoding.overflowing) or len(tokenizer(*texts, verbose=False).input_ids) > len(ids)
    note = f"cut to {len(ids)} tokens, as in training" if cut else ""
    return Asked(_named(name, row), batch, words, [question], hidden, sides, note)


def ask_tags(
    student: PreTrainedModel, data: Any, name: str, rows: Sequence[int], errors: int | None, word: str | None
) -> list[Asked]:
    """Why each entity begins where it does; where a text asked alone has none, why the likeliest word for one is none.

    With ``errors``, why wrong tags are what they are, of so many sentences; with ``word``, what that word is.
    """
    split = data.splits[name]
    none = data.labels.index(_NONE)
    candidates = []
    for row, probabilities in _answers(student, split, rows):
        asked = row_of(split, row)
        places = first_of_words(asked["word_ids"][0].numpy()).tolist()
        numbers = asked["word_ids"][0].tolist()
        best, sure = probabilities.argmax(dim=-1).tolist(), probabilities.max(dim=-1).values.tolist()
        expected = split.tags[row] if split.tags else None
        wrong = [place for place in places if expected and data.labels[best[place]] != expected[numbers[place]]]
        if errors is not None:
            chosen = wrong
        elif word is not None:
            chosen = [place for place in places if split.sentences[row][numbers[place]].casefold() == word.casefold()]
        else:
            chosen = [place for place in places if data.labels[best[place]].startswith("B-")]
            if not chosen and places and len(rows) == 1:
                chosen = [min(places, key=lambda place: float(probabilities[place, none]))]
        questions = [(place, best[place], None if not expected else expected[numbers[place]]) for place in chosen]
        candidates.append((max((sure[place] for place in wrong), default=0.0), row, asked, questions))
    if errors is not None:
        candidates = sorted((one for one in candidates if one[3]), key=lambda one: (-one[0], one[1]))[:errors]
    else:
        candidates.sort(key=lambda one: one[1])
    lacking = "no entity is found here" if word is None else f"{word!r} is no word of it"
    return [_sentence(data, name, row, batch, questions, lacking) for _, row, batch, questions in candidates]


def _sentence(
    data: Any, name: str, row: int, batch: Any, questions: Sequence[tuple[int, int, str | None]], if_none: str
) -> Asked:
    split, tokenizer = data.splits[name], data.tokenizer
    numbers, sentence = batch["word_ids"][0].tolist(), split.sentences[row]
    tokens = tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    words = words_of_sentence(numbers, tokens, sentence, split.spans[row] if split.spans else ())
    at = {token: place for place, word in enumerate(words) for token in word.tokens}
    asked = [One(number, data.labels[number], place, at[place], expected) for place, number, expected in questions]
    theirs = None if data.teacher_tokenizer is None else _in_their_tokens(data, row, sentence, numbers, words)
    lacking = len(sentence) - len({number for number in numbers if number >= 0})
    notes = [f"{lacking} words are not shown: the tokenizer drops them, or they are cut off"] if lacking else []
    notes += [] if questions else [if_none]
    return Asked(_named(name, row), batch, words, asked, note="; ".join(notes), theirs=theirs)


def _in_their_tokens(data: Any, row: int, sentence: Sequence[str], numbers: Sequence[int], words: list[Word]) -> Asked:
    """The sentence as a teacher reads it whose tokenizer is another: the same words, made of its own tokens."""
    longest = min(data.teacher_tokenizer.model_max_length, max(512, data.max_length))
    ((ids, word_ids, _),) = encode_words([sentence], data.teacher_tokenizer, longest)
    tokens: dict[int, list[int]] = {}
    for token, number in enumerate(word_ids.tolist()):
        tokens.setdefault(number, []).append(token)
    own = [replace(word, tokens=tuple(tokens.get(numbers[word.tokens[0]], ()))) for word in words]
    own = [replace(word, tokens=()) if word.is_special else word for word in own]
    return Asked("", one_row(ids.tolist(), row), own, [])


def _answers(
    student: PreTrainedModel, split: Any, rows: Sequence[int]
) -> Iterator[tuple[int, Float[Tensor, "*answers classes"]]]:
    """The probabilities of each row, in batches of like length."""
    numbers = np.asarray(rows, dtype=np.int64)
    for places in SortedBatches(split.lengths[numbers], 32):
        batch = to_device(split.batch(numbers[places].tolist()), student.device)
        with torch.inference_mode():
            found = torch.softmax(read(student, batch).logits.float(), dim=-1).cpu()
        lengths = batch["attention_mask"].sum(dim=1).tolist()
        for row, one, length in zip(numbers[places].tolist(), found, lengths, strict=True):
            yield row, one if one.dim() == 1 else one[:length]


def _named(split: str, row: int) -> str:
    return f"text {row + 1}" if split == "predict" else f"{split} example {row}"
