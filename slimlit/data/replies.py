"""``tokenise``: dialogues as examples whose labels are tokens of replies, cut at turns where they are too long."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from tqdm import tqdm  # type: ignore[import-untyped]

from slimlit.data.examples import IGNORED, Column, cached_columns, hash_all
from slimlit.data.text_rows import TextRows
from slimlit.models.chat_template import Encoded, encode, render, says, tokens_of
from slimlit.models.tokenizers import Tokenizer, without_limits
from slimlit.text.conversations import Conversation, Message, with_system, without_first_turns

Replies = Literal["all", "each", "last", "none"]
_FORMAT = 1


@dataclass(frozen=True)
class _Example:
    ids: list[int]
    labels: npt.NDArray[np.int64]
    prompt: str
    reply: str
    num_bytes: int = 0


def tokenise(
    dialogues: Sequence[Conversation],
    tokenizer: Tokenizer,
    max_length: int,
    replies: Replies,
    system: str | None = None,
) -> TextRows:
    """The dialogues as examples; each knows the number of the dialogue it was made of.

    Args:
        dialogues: to tokenise.
        tokenizer: with a chat template.
        max_length: tokens of an example at most.
        replies: which replies have labels; ``none`` gives none, and ends where the next reply would begin.
        system: the system's message for dialogues that have none.
    """
    settings = [_FORMAT, max_length, replies, system, tokenizer.chat_template, tokenizer.special_tokens_map]
    contents = [json.dumps(one.messages, ensure_ascii=False) for one in dialogues]
    fingerprint = hash_all(["dialogues", *settings, without_limits(tokenizer).to_str()], contents)

    def make() -> tuple[dict[str, Column], dict[str, Any]]:
        counts: Counter[str] = Counter()
        forbidden = list(tokenizer.get_added_vocab())
        found, of = [], []
        for number, one in enumerate(tqdm(dialogues, desc="tokenising", leave=False, disable=len(dialogues) < 2000)):
            messages = with_system(one.messages, system)
            if any(token in message["content"] for token in forbidden for message in messages):
                counts["dialogues left out: a special token stands in their text"] += 1
                continue
            examples = list(_examples(messages, tokenizer, max_length, replies, counts))
            found.extend(examples)
            of.extend([number] * len(examples))
        columns = {
            "input_ids": Column.of([one.ids for one in found], int(tokenizer.pad_token_id or 0)),
            "labels": Column.of([one.labels for one in found], IGNORED),
            "num_bytes": Column.of([[one.num_bytes] for one in found], dtype=np.int64),
            "documents": Column.of([[number] for number in of], dtype=np.int64),
            "prompts": Column.of([_bytes(one.prompt) for one in found], dtype=np.uint8),
            "replies": Column.of([_bytes(one.reply) for one in found], dtype=np.uint8),
        }
        return columns, dict(counts)

    columns, notes = cached_columns(fingerprint, make, replies != "none")
    prompts, answers = (_strings(columns.pop(name)) for name in ("prompts", "replies"))
    num_bytes, documents = (columns.pop(name).values for name in ("num_bytes", "documents"))
    return TextRows(columns, fingerprint, prompts, answers, notes, num_bytes, documents)


def _examples(
    messages: list[Message], tokenizer: Tokenizer, max_length: int, replies: Replies, counts: Counter[str]
) -> Iterator[_Example]:
    """The examples of one dialogue; what is cut or left out is counted."""
    if replies == "none":
        yield from _question(messages, tokenizer, max_length, counts)
        return
    places = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    if not places:
        counts["dialogues left out: nothing is replied"] += 1
    for place in places if replies == "each" else places[-1:]:
        try:
            kept, encoded = _fitted(messages[: place + 1], tokenizer, max_length, counts)
        except ValueError as problem:
            counts[f"left out: {problem}"] += 1
            continue
        learned = encoded.replies if replies == "all" else encoded.replies[-1:]
        answers = [message["content"] for message in kept if message["role"] == "assistant"][-len(learned) :]
        for reply, answer in zip(learned, answers, strict=True):
            counts["replies that their tokens do not spell exactly"] += (
                says(tokenizer, encoded.ids[reply.start : reply.stop - 1]) != answer
            )
        labels = np.full(encoded.replies[-1].stop - 1, IGNORED, dtype=np.int64)  # the last token is said, not read
        for reply in learned:
            labels[reply.start - 1 : reply.stop - 1] = encoded.ids[reply.start : reply.stop]
        num_bytes = sum(len(answer.encode("utf-8")) for answer in answers)
        prompt = render(tokenizer, kept[:-1], asks=True)
        yield _Example(encoded.ids[: len(labels)], labels, prompt, answers[-1], num_bytes)


def _fitted(
    messages: list[Message], tokenizer: Tokenizer, max_length: int, counts: Counter[str]
) -> tuple[list[Message], Encoded]:
    """The dialogue without as many of its first turns as must go.

    Raises:
        ValueError: the last turns alone are too long, or the template refuses the dialogue.
    """
    whole = len(messages)
    while True:
        encoded = encode(tokenizer, messages)
        excess = encoded.replies[-1].stop - 1 - max_length
        if excess <= 0:
            counts["examples cut to max_length"] += len(messages) < whole
            counts["turns cut off"] += whole - len(messages)
            return messages, encoded
        places = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        goes = next(
            place
            for place, reply in zip(places, encoded.replies, strict=True)
            if reply.stop >= min(excess, len(encoded.ids))
        )
        least = goes + 1 - (messages[0]["role"] == "system")
        messages = without_first_turns(messages, least)
        if not any(message["role"] == "assistant" for message in messages):
            raise ValueError("the last turns alone are longer than max_length")


def _question(
    messages: list[Message], tokenizer: Tokenizer, max_length: int, counts: Counter[str]
) -> Iterator[_Example]:
    """A dialogue up to where it is to be answered, and the answer it has, if any."""
    answer = messages[-1]["content"] if messages[-1]["role"] == "assistant" else ""
    asked = messages[:-1] if answer else messages
    kept = asked
    while kept and len(ids := tokens_of(tokenizer, kept)) > max_length:
        kept = without_first_turns(kept)
        if not any(message["role"] == "user" for message in kept):
            counts["left out: the last turn alone is longer than max_length"] += 1
            return
    counts["examples cut to max_length"] += len(kept) < len(asked)
    if kept:
        yield _Example(ids, np.full(len(ids), IGNORED), render(tokenizer, kept, asks=True), answer)


def _bytes(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8)


def _strings(column: Column) -> list[str]:
    whole = column.values.tobytes()
    return [whole[start:end].decode("utf-8") for start, end in pairwise(column.offsets.tolist())]
