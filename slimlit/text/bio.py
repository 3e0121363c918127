"""``to_bio``: tags of named spans, whatever scheme they come in, checked and made into sound BIO, with a report of every repair."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Rows: TypeAlias = Sequence[Sequence[str]]
Scheme: TypeAlias = Literal["BIO", "IOB1", "BIOES", "BILOU"]
SCHEMES: tuple[Scheme, ...] = ("BIO", "IOB1", "BIOES", "BILOU")

_IN_BIO = {"B": "B", "I": "I", "M": "I", "E": "I", "L": "I", "S": "B", "U": "B"}  # M is the I of BMES
_PREFIXES = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIMES", "BILOU": "BILU"}
_NUM_PLACES = 3


@dataclass
class BioReport:
    """What was changed: how often each kind of repair, and its first places as (row, token), counted from 1.

    Kinds: ``I without B``, ``type changes inside``, ``I after an end``, ``span without its end`` (which BIO does not need,
    so nothing is changed), and in the scheme's own name the tags that only change their spelling, which are no faults.
    """

    scheme: Scheme
    num_rows: int = 0
    num_tags: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    @property
    def num_faults(self) -> int:
        """How many tags broke the rules of their own scheme."""
        return sum(count for kind, count in self.counts.items() if kind != f"spelling of {self.scheme}")

    def count(self, kind: str, row: int, token: int) -> None:
        """Note one repair."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        places = self.places.setdefault(kind, [])
        if len(places) < _NUM_PLACES:
            places.append((row + 1, token + 1))


def parse_tag(tag: str, row: int, token: int, prefixes: str = "BIMESLU") -> tuple[str, str]:
    """The prefix and type of a tag; ``("O", "")`` outside of all spans.

    Raises:
        ValueError: it is no such tag; row and token are told, counted from 1.
    """
    if tag == "O":
        return "O", ""
    prefix, dash, kind = tag[:1], tag[1:2], tag[2:]
    if not prefix or prefix not in prefixes or dash != "-" or not kind:
        expected = ", ".join(f"{letter}-TYPE" for letter in prefixes)
        raise ValueError(f"row {row + 1}, token {token + 1}: {tag!r} is no tag\nexpected O, {expected}")
    return prefix, kind


def detect_scheme(rows: Rows, numbers: Sequence[int] | None = None) -> Scheme:
    """The scheme that tags are written in.

    E or S says BIOES (BMES too), L or U says BILOU. It is IOB1 where no span starts with B unless it follows one of its
    own type, and some span starts with I; else BIO, whose faults are then faults.

    Raises:
        ValueError: a tag is none, or the tags of two schemes are mixed.
    """
    seen: dict[str, tuple[int, int]] = {}
    opening_b = opening_i = False
    for row, tags in zip(numbers or range(len(rows)), rows, strict=True):
        before = ("O", "")
        for token, tag in enumerate(tags):
            prefix, kind = parse_tag(tag, row, token)
            seen.setdefault(prefix, (row, token))
            fresh = before[0] == "O" or before[1] != kind
            opening_b |= prefix == "B" and fresh
            opening_i |= prefix == "I" and fresh
            before = prefix, kind
    bioes, bilou = seen.keys() & set("MES"), seen.keys() & set("LU")
    if bioes and bilou:
        row, token = max(min(seen[prefix] for prefix in bioes), min(seen[prefix] for prefix in bilou))
        raise ValueError(
            f"row {row + 1}, token {token + 1}: tags of BIOES ({', '.join(sorted(bioes))}) and of BILOU ({', '.join(sorted(bilou))}) are mixed\n"
            "write all rows in one scheme"
        )
    if bioes or bilou:
        return "BIOES" if bioes else "BILOU"
    return "IOB1" if opening_i and not opening_b else "BIO"


def to_bio(
    rows: Rows, scheme: Scheme | None = None, numbers: Sequence[int] | None = None
) -> tuple[list[list[str]], BioReport]:
    """The same tags as BIO (IOB2), and what was changed.

    Guarantees:
        - in the result every span starts with B and goes on with I of its own type;
        - the spans are those that conlleval reads in the tags as they came, faults included;
        - sound BIO comes back as it is, with no repair counted;
        - what one row holds changes no other row.

    Args:
        rows: the tags of each text, one per token.
        scheme: what they are written in; None detects it.
        numbers: of the rows where they come from, counted from 0; by their order unless given.

    Raises:
        ValueError: a tag does not belong to the scheme; row and token are told.

    Source: Ramshaw and Marcus 1995, W95-0107 (IOB1); Ratinov and Roth 2009, W09-1119 (BILOU); conlleval of CoNLL-2000.
    """
    numbers = numbers or range(len(rows))
    scheme = scheme or detect_scheme(rows, numbers)
    report = BioReport(scheme)
    return [_repair(tags, row, report) for row, tags in zip(numbers, rows, strict=True)], report


def _repair(tags: Sequence[str], row: int, report: BioReport) -> list[str]:
    scheme, result = report.scheme, []
    before, kind_before = "O", ""
    for token, tag in enumerate(tags):
        prefix, kind = parse_tag(tag, row, token, _PREFIXES[scheme])
        own = _IN_BIO.get(prefix, "O")
        goes_on = own == "I" and before not in ("O", "E", "S", "L", "U") and kind == kind_before
        if scheme in ("BIOES", "BILOU") and before in ("B", "I", "M") and not goes_on:
            report.count("span without its end", row, token - 1)
        if own == "I" and not goes_on:
            report.count(_fault(scheme, before, kind == kind_before), row, token)
            own = "B"
        elif own != prefix:
            report.count(f"spelling of {scheme}", row, token)
        result.append(tag if own == prefix else f"{own}-{kind}")
        before, kind_before = prefix, kind
    if scheme in ("BIOES", "BILOU") and before in ("B", "I", "M"):
        report.count("span without its end", row, len(tags) - 1)
    report.num_rows += 1
    report.num_tags += len(tags)
    return result


def _fault(scheme: Scheme, before: str, same_type: bool) -> str:
    if scheme == "IOB1":
        return "spelling of IOB1"
    if before == "O":
        return "I without B"
    return "I after an end" if same_type else "type changes inside"
