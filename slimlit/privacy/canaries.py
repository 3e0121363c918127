"""Canaries: made-up texts with random labels, each put among the training texts or left out by a fair coin of its own."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

NAME = "canaries.jsonl"


@dataclass(frozen=True)
class Canary:
    """One made-up text (a pair where examples are pairs), its label, and whether it is trained on."""

    text: str
    pair: str | None
    label: str
    planted: bool


def draw_canaries(
    num: int,
    words: Sequence[str],
    num_words: int,
    labels: Sequence[str],
    random: np.random.Generator,
    pairs: bool = False,
) -> list[Canary]:
    """Texts of words drawn evenly, labels drawn evenly, and fair coins, all independent; no text twice.

    Raises:
        ValueError: too few words to make so many texts.
    """
    if len(set(words)) ** num_words < 4 * num:
        raise ValueError(
            f"{len(set(words))} words make too few texts of {num_words} for {num} canaries\nset more words a text"
        )
    found: dict[tuple[str, str | None], Canary] = {}
    while len(found) < num:
        text, pair = (" ".join(random.choice(words, size=num_words).tolist()) for _ in range(2))
        label, planted = labels[int(random.integers(len(labels)))], bool(random.integers(2))
        one = Canary(text, pair if pairs else None, label, planted)
        found.setdefault((one.text, one.pair), one)
    return list(found.values())


def write_canaries(folder: Path, canaries: Sequence[Canary]) -> None:
    """Write them into ``folder``, readable by their owner only, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{NAME}.unfinished"
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in canaries)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(unfinished, folder / NAME)


def read_canaries(folder: Path) -> list[Canary] | None:
    """What :func:`write_canaries` wrote; None where there is nothing.

    Raises:
        ValueError: it is damaged.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        return [Canary(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{path} is damaged: {str(problem)[:80]}\nthe run's canaries are lost with it") from problem
