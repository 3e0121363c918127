"""Questions to networks that write: each token of the student's own continuation, reply or translation, or of a hidden word."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from slimlit.data.batches import SortedBatches
from slimlit.explain.words import Word, find_words, words_of_ids
from slimlit.explainer.asked import Asked, One, one_row, row_of, to_device
from slimlit.explainer.worst import worst_texts
from slimlit.models import PreTrainedModel, read
from slimlit.models.chat_template import says, stop_tokens
from slimlit.models.generation import generate
from slimlit.models.tokenizers import special_ids


def ask_continuations(
    student: PreTrainedModel, data: Any, rows: Sequence[int], settings: Mapping[str, Any], word: str | None
) -> list[Asked]:
    """Why a decoder goes on with each token it writes after a text, or answers a dialogue with it."""
    ends = {"eos_token_id": sorted(stop_tokens(student, data.tokenizer)) or None, **settings}
    found = []
    for row, written in _written(student, data.splits["predict"], rows, ends).items():
        read_first = row_of(data.splits["predict"], row)["input_ids"][0].tolist()
        ids = [*read_first, *written]
        words = words_of_ids(ids, partial(says, data.tokenizer), special_ids(data.tokenizer))
        questions = _questions(words, len(read_first), written, len(read_first) - 1, word)
        start = next((at for at, one in enumerate(words) if len(read_first) in one.tokens), None)
        sides = [] if start is None else [("what it wrote", start)]
        found.append(Asked(_named(row), one_row(ids, row), words, questions, sides=sides, note=_note(written)))
    return found


def ask_translations(
    student: PreTrainedModel,
    data: Any,
    name: str,
    rows: Sequence[int],
    settings: Mapping[str, Any],
    word: str | None,
    errors: int | None = None,
) -> list[Asked]:
    """Why an encoder-decoder writes each token of what it makes of a text; with ``errors``, of so many whose reference it knows least."""
    split, found = data.splits[name], []
    notes: dict[int, str] = {}
    if errors is not None:
        for one in worst_texts(student, split, rows, errors):
            notes[one.row] = f"expected: {data.references[name][one.row][0]} ({one.nats:.2f} nats a token)"
        rows = list(notes)
    for row, written in _written(student, split, rows, {**settings, "num_return_sequences": 1}).items():
        ids = row_of(split, row)["input_ids"][0].tolist()
        decoder = [data.start_token_id, *written]
        words = [
            *_source_words(data, ids, data.prefix + split.texts[row]),
            *words_of_ids(decoder, partial(says, data.tokenizer), special_ids(data.tokenizer), len(ids)),
        ]
        questions = _questions(words, len(ids) + 1, written, 0, word)
        start = next(at for at, one in enumerate(words) if len(ids) in one.tokens)
        batch = one_row(ids, row, decoder)
        name_of_row = _named(row) if name == "predict" else f"{name} example {row}"
        note = "; ".join(filter(None, [_note(written), notes.get(row, "")]))
        found.append(Asked(name_of_row, batch, words, questions, sides=[("what it wrote", start)], note=note))
    return found


def ask_masks(student: PreTrainedModel, data: Any, rows: Sequence[int]) -> list[Asked]:
    """Why a masked model finds the word it finds at each mask token of a text.

    Raises:
        ValueError: a text has none.
    """
    split, mask, found = data.splits["predict"], data.tokenizer.mask_token_id, []
    for row in rows:
        batch = row_of(split, row)
        ids = batch["input_ids"][0].tolist()
        places = [place for place, token in enumerate(ids) if token == mask]
        if not places:
            raise ValueError(
                f"{_named(row)} hides no word\nwrite {data.tokenizer.mask_token} where one is to be found: {split.texts[row][:60]!r}"
            )
        with torch.inference_mode():
            best = read(student, to_device(batch, student.device)).logits[0].argmax(dim=-1).tolist()
        words = words_of_ids(ids, partial(says, data.tokenizer), special_ids(data.tokenizer) - {mask})
        at = {token: number for number, one in enumerate(words) for token in one.tokens}
        spell = partial(says, data.tokenizer)
        questions = [One(best[place], spell([best[place]]).strip(), place, at[place]) for place in places]
        found.append(Asked(_named(row), batch, words, questions))
    return found


def _written(
    student: PreTrainedModel, split: Any, rows: Sequence[int], settings: Mapping[str, Any]
) -> dict[int, list[int]]:
    """The tokens the student writes of each row, in the order of the rows."""
    said: dict[int, list[int]] = {}
    for places in SortedBatches(split.lengths[list(rows)], 16):
        chosen = [rows[place] for place in places]
        batch = to_device(split.batch(chosen), student.device)
        said |= dict(zip(chosen, generate(student, batch, settings), strict=True))
    return {row: said[row] for row in rows}


def _questions(
    words: Sequence[Word], start: int, written: Sequence[int], first_place: int, only: str | None
) -> list[One]:
    """Of each written token, the first of which is input ``start`` and said at ``first_place``; or of one word alone."""
    at = {token: number for number, word in enumerate(words) for token in word.tokens}
    found = []
    for number, token in enumerate(written):
        word = at[start + number]
        if only is None or words[word].text.casefold() == only.casefold():
            found.append(One(token, words[word].text, first_place + number, word))
    return found


def _source_words(data: Any, ids: Sequence[int], text: str) -> list[Word]:
    """The words of the text as the tokenizer saw them; its end may be ours."""
    encoding = data.tokenizer(text, truncation=True, max_length=max(1, len(ids))).encodings[0]
    if encoding.ids == list(ids):
        return find_words(encoding, [text])
    if encoding.ids[: len(ids) - 1] == list(ids[:-1]) and encoding.ids:
        words = [word for word in find_words(encoding, [text]) if word.tokens[0] < len(ids) - 1]
        return [*words, Word(data.tokenizer.convert_ids_to_tokens(ids[-1]), (len(ids) - 1,), is_special=True)]
    return words_of_ids(ids, partial(says, data.tokenizer), special_ids(data.tokenizer))


def _note(written: Sequence[int]) -> str:
    return "" if written else "the student wrote nothing"


def _named(row: int) -> str:
    return f"text {row + 1}"
