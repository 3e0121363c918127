"""Make validation and test splits: seeded, stratified, and with every duplicate on one side."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from slimlit.data.files import Texts


def identities(texts: Texts) -> list[str]:
    """One string an example; equal where text (and pair) are the same but for case."""
    pairs = texts.pairs or [""] * len(texts)
    return [f"{text}\x00{pair}".casefold() for text, pair in zip(texts.texts, pairs, strict=True)]


def make_splits(texts: Texts, fractions: Mapping[str, float], seed: int) -> dict[str, list[int]]:
    """Rows for each named part, and for ``train`` what remains.

    Groups of duplicates are dealt out whole, within each label, in the order of a hash keyed by the seed: the same text
    falls in the same order on every machine.

    Args:
        texts: labelled texts.
        fractions: share of the examples of each part other than ``train``.
        seed: another seed, other splits.

    Raises:
        ValueError: fractions that leave nothing for training, or too few texts for them.
    """
    if any(fraction <= 0.0 for fraction in fractions.values()) or sum(fractions.values()) >= 1.0:
        shares = ", ".join(f"{name} {fraction}" for name, fraction in fractions.items())
        raise ValueError(f"splits are {shares}\nexpected shares above 0 that leave something for training")
    groups: dict[str, list[int]] = defaultdict(list)
    for row, identity in enumerate(identities(texts)):
        groups[identity].append(row)
    by_label: dict[str, list[tuple[str, list[int]]]] = defaultdict(list)
    for identity, rows in groups.items():
        key = hashlib.blake2b(f"{seed}\x00{identity}".encode(), digest_size=16).hexdigest()
        by_label[texts.labels[rows[0]]].append((key, rows))
    parts: dict[str, list[int]] = {name: [] for name in ("train", *fractions)}
    for label in sorted(by_label):
        keyed = sorted(by_label[label])
        total = sum(len(rows) for _, rows in keyed)
        room = {name: round(fraction * total) for name, fraction in fractions.items()}
        for _, rows in keyed:
            name = next((name for name, left in room.items() if left >= len(rows)), "train")
            if name != "train":
                room[name] -= len(rows)
            parts[name].extend(rows)
    for name, rows in parts.items():
        if not rows:
            raise ValueError(
                f"of {len(texts)} texts none is left for {name}\n"
                "give more texts, a larger share (data.init_args.split), or a file for each split"
            )
    return {name: sorted(rows) for name, rows in parts.items()}


def count_shared(first: Texts, others: Sequence[Texts]) -> int:
    """How many examples of the others stand in the first as well."""
    known = set(identities(first))
    return sum(identity in known for texts in others for identity in identities(texts))
