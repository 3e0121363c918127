"""Texts, and what tests of ``prepare`` share with processes of their own; imports no torch."""

import os
import random
from pathlib import Path

LETTERS = "etaoinshrdlucmfwypvbgkqjxz"


def words(rng: random.Random, count: int) -> list[str]:
    """Words of random letters."""
    return ["".join(rng.choices(LETTERS, k=rng.randrange(2, 9))) for _ in range(count)]


def read(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def process(_: int) -> int:
    """The number of this process."""
    return os.getpid()


def toy_page(seed: int) -> str:
    """Ninety words, some of them as frequent as in running English; another text for each seed."""
    rng = random.Random(seed)
    rare = "ferry harbour baker river teacher window garden winter letter bridge forest paints forgets follows repairs visits"
    rare += " carries quiet green narrow famous cold bright broken distant early island evening people morning village stone"
    chosen = [rng.choice(["the", "of", "and", "to", "that", *rare.split()]) for _ in range(90)]
    return ". ".join(" ".join(chosen[start : start + 9]).capitalize() for start in range(0, 90, 9)) + "."
