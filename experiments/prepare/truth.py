"""Which documents are near-duplicates, found exactly: sets of 13-character strings in plain Python, nothing of slimlit."""

import json
import re
import string
from collections import Counter, defaultdict
from math import ceil, floor
from pathlib import Path

PUNCTUATION = str.maketrans("", "", string.punctuation)
Pair = tuple[int, int]


def normal(text: str) -> str:
    """SlimPajama's form: lower case, no punctuation, white space collapsed."""
    return re.sub(r"\s+", " ", text.lower().translate(PUNCTUATION).strip())


def features(text: str) -> set[str]:
    """All its strings of 13 characters."""
    text = normal(text)
    return {text[place : place + 13] for place in range(len(text) - 12)}


def similar_pairs(path: Path, threshold: float) -> dict[Pair, float]:
    """All pairs of lines with that Jaccard similarity or more, and their similarity.

    Two sets that alike share one of each other's rarest ``(1 - threshold) * size + 1`` members (prefix filter: Chaudhuri,
    Ganti, Kaushik 2006), so only pairs that do are compared.
    """
    with path.open(encoding="utf-8") as file:
        sets = [frozenset(map(hash, features(json.loads(line)["text"]))) for line in file]
    times = Counter(member for members in sets for member in members)
    by_member: dict[int, list[int]] = defaultdict(list)
    found: dict[Pair, float] = {}
    for number, members in enumerate(sets):
        rarest = sorted(members, key=lambda member: (times[member], member))
        candidates: set[int] = set()
        for member in rarest[: len(members) - ceil(threshold * len(members)) + 1]:
            if times[member] > 1:
                candidates.update(by_member[member])
                by_member[member].append(number)
        for other in candidates:
            one, two = len(members), len(sets[other])
            if min(one, two) < floor(threshold * max(one, two)):
                continue
            shared = len(members & sets[other])
            if shared >= threshold * (one + two - shared):
                found[other, number] = shared / (one + two - shared)
    return found


def components(pairs: list[Pair], count: int) -> list[int]:
    """For each document the first of those it is connected with."""
    first = list(range(count))

    def find(number: int) -> int:
        while first[number] != number:
            number = first[number]
        return number

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        first[high] = low
    return [find(number) for number in range(count)]


def score(kept: set[int], pairs: dict[Pair, float], count: int) -> dict[str, float]:
    """How right a choice of documents is.

    ``recall``: of the documents that should go (all but one of each component), how many went. ``precision``: of those
    that went, how many are in a component that kept one. ``pair recall``: of the similar pairs, how many lost one.
    """
    first = components(list(pairs), count)
    left = Counter(first[number] for number in kept)
    sizes = Counter(first)
    wanted = sum(size - 1 for size in sizes.values())
    gone = count - len(kept)
    right = sum(size - max(1, left[component]) for component, size in sizes.items())
    parted = sum(one not in kept or other not in kept for one, other in pairs)
    return {
        "dropped": gone,
        "recall": right / max(1, wanted),
        "precision": right / max(1, gone),
        "pair recall": parted / max(1, len(pairs)),
    }
