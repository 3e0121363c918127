"""Dialogues of records: messages by role, turns by two speakers in turn, or an instruction and its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slimlit.text.clean import clean_lines

Message = dict[str, str]
"""``{"role": "system" | "user" | "assistant", "content": TEXT}``, as chat templates take it."""

_ROLES = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user", "customer": "user",
    "assistant": "assistant", "gpt": "assistant", "model": "assistant", "bot": "assistant", "agent": "assistant",
}  # fmt: skip
_SPEAKER = ("role", "from", "speaker")
_SAID = ("content", "value", "text", "utterance")
SHAPES = "messages: [{role, content}, ...], turns: [TEXT, ...] (user first), or instruction, input, output"


@dataclass(frozen=True)
class Conversation:
    """Messages in order, and the record they came from."""

    messages: list[Message]
    record: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The whole of it as plain text, whatever a model's template makes of it."""
        return "\n".join(f"{one['role']}: {one['content']}" for one in self.messages)


def read_conversation(record: Mapping[str, Any]) -> Conversation:
    """The dialogue of a record, in whichever shape it has; empty turns left out, and turns of one speaker joined.

    In ``turns`` as plain texts the user speaks first, then the assistant, and so on. Where turns name their speakers,
    ``system`` is the assistant if a ``user`` speaks before it and nobody else does (as task-oriented corpora have it).

    Raises:
        ValueError: it has none of the shapes, or a speaker nobody knows.
    """
    for column in ("messages", "conversations", "turns"):
        if record.get(column):
            return Conversation(_joined(_turns(record[column], column)), record)
    if record.get("instruction") is not None and record.get("output") is not None:
        asked = "\n\n".join(
            part for name in ("instruction", "input") if (part := clean_lines(str(record.get(name) or "")))
        )
        turns = [("user", asked), ("assistant", clean_lines(str(record["output"])))]
        return Conversation(_joined(turns), record)
    if record.keys() & {"messages", "conversations", "turns"}:
        return Conversation([], record)  # a dialogue in which nothing was said
    raise ValueError(f"it has {', '.join(map(str, record)) or 'nothing'}; expected {SHAPES}")


def _turns(turns: Any, column: str) -> list[tuple[str, str]]:
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise ValueError(f"{column} is a {type(turns).__name__}; expected {SHAPES}")
    if all(isinstance(turn, str) for turn in turns):
        return [(("user", "assistant")[number % 2], clean_lines(turn)) for number, turn in enumerate(turns)]
    if not all(isinstance(turn, Mapping) for turn in turns):
        raise ValueError(f"{column} holds neither texts nor objects; expected {SHAPES}")
    named = [(_of(turn, _SPEAKER).lower(), clean_lines(_of(turn, _SAID))) for turn in turns]
    names = [name for name, _ in named]
    answers = set(names) == {"user", "system"} and "system" in names[names.index("user") :]
    roles = {**_ROLES, "system": "assistant"} if answers else _ROLES
    unknown = sorted({name for name, _ in named} - set(roles))
    if unknown:
        raise ValueError(f"a turn is of {unknown[0]!r}; expected one of: {', '.join(sorted(_ROLES))}")
    return [(roles[name], said) for name, said in named]


def _of(turn: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        if isinstance(turn.get(name), str):
            return str(turn[name])
    raise ValueError(f"a turn has {', '.join(map(str, turn))}; expected one of: {', '.join(names)}")


def _joined(turns: list[tuple[str, str]]) -> list[Message]:
    messages: list[Message] = []
    for role, said in turns:
        if said and messages and messages[-1]["role"] == role:
            messages[-1] = {"role": role, "content": f"{messages[-1]['content']}\n{said}"}
        elif said:
            messages.append({"role": role, "content": said})
    return messages


def with_system(messages: list[Message], system: str | None) -> list[Message]:
    """The messages behind a system message, unless they have one of their own, or there is none."""
    if system is None or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def without_first_turns(messages: list[Message], least: int = 1) -> list[Message]:
    """The messages without ``least`` or more of the first after the system's, so that they begin with the user's again.

    Nothing is left but the system's where the user does not come again.
    """
    head = 1 if messages and messages[0]["role"] == "system" else 0
    at = head + least
    while at < len(messages) and messages[at]["role"] != "user":
        at += 1
    return [*messages[:head], *messages[at:]]
