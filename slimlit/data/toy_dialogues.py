"""Toy dialogues with planted answers: each thing has one colour and one place, and "it" is the thing asked of before."""

import json
from pathlib import Path

import numpy as np

from slimlit.text.conversations import Message

COLOURS = {
    "sky": "blue", "grass": "green", "snow": "white", "coal": "black", "sun": "yellow", "rose": "red",
}  # fmt: skip
PLACES = {
    "sky": "above", "grass": "below", "snow": "outside", "coal": "underground", "sun": "far away", "rose": "in the garden",
}  # fmt: skip


def colour_turns(thing: str) -> list[Message]:
    """The question for a thing's colour, and its answer."""
    return _turns(f"what colour is the {thing}?", f"the {thing} is {COLOURS[thing]}.")


def place_turns(thing: str) -> list[Message]:
    """The question where the thing is that was spoken of, which does not name it, and its answer."""
    return _turns("and where is it?", f"it is {PLACES[thing]}.")


def toy_dialogues(num_dialogues: int, seed: int = 0) -> list[list[Message]]:
    """Dialogues of one to three things; after some, one asks where it is."""
    random = np.random.default_rng(seed)
    dialogues = []
    for _ in range(num_dialogues):
        messages: list[Message] = []
        for thing in random.choice(list(COLOURS), size=random.integers(1, 4)):
            messages += colour_turns(str(thing))
            messages += place_turns(str(thing)) if random.random() < 0.6 else []
        dialogues.append(messages)
    return dialogues


def write_toy_dialogues(file: Path, num_dialogues: int = 200, seed: int = 0) -> None:
    """Write toy dialogues as JSON lines, each with ``messages`` and an ``id``."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [{"id": f"d{number}", "messages": one} for number, one in enumerate(toy_dialogues(num_dialogues, seed))]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _turns(asked: str, said: str) -> list[Message]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
