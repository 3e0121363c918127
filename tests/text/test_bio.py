"""Tags of any scheme become sound BIO, and every repair is told."""

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from slimlit.text.bio import Scheme, detect_scheme, to_bio
from slimlit.text.spans import find_spans


def tags(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("/")]


def random_rows(prefixes: str, seed: int, rows: int = 60) -> list[list[str]]:
    draw = random.Random(seed)
    choices = ["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in ("PER", "LOC"))]
    return [[draw.choice(choices) for _ in range(draw.randrange(12))] for _ in range(rows)]


def entities(rows: list[list[str]]) -> set[tuple[int, str, int, int]]:
    """The outside judge's spans."""
    return {(row, kind, first, last) for row, one in enumerate(rows) for kind, first, last in get_entities(one)}


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("B-X I-X O B-X B-Y", "BIO"),
        ("O O", "BIO"),
        ("I-X I-X B-X O I-Y", "IOB1"),
        ("I-X I-X O I-Y", "IOB1"),
        ("O I-X O/B-X I-X", "BIO"),
        ("B-X E-X O S-Y", "BIOES"),
        ("B-X M-X E-X O", "BIOES"),
        ("B-X I-X L-X U-Y", "BILOU"),
    ],
)
def test_the_scheme_is_found_in_the_tags(text: str, scheme: Scheme) -> None:
    assert detect_scheme(tags(text)) == scheme
    assert to_bio(tags(text))[1].scheme == scheme


@pytest.mark.parametrize(
    ("text", "expected", "counts", "places"),
    [
        ("O I-X I-X/B-X", "O B-X I-X/B-X", {"I without B": 1}, {"I without B": [(1, 2)]}),
        ("B-X I-Y I-Y", "B-X B-Y I-Y", {"type changes inside": 1}, {"type changes inside": [(1, 2)]}),
        ("I-X I-X B-X I-Y", "B-X I-X B-X B-Y", {"spelling of IOB1": 2}, {"spelling of IOB1": [(1, 1), (1, 4)]}),
        ("B-X M-X E-X S-Y", "B-X I-X I-X B-Y", {"spelling of BIOES": 3}, {"spelling of BIOES": [(1, 2), (1, 3), (1, 4)]}),
        ("U-Y B-X L-X", "B-Y B-X I-X", {"spelling of BILOU": 2}, {"spelling of BILOU": [(1, 1), (1, 3)]}),
        (
            "S-X I-X E-X", "B-X B-X I-X", {"spelling of BIOES": 2, "I after an end": 1},
            {"spelling of BIOES": [(1, 1), (1, 3)], "I after an end": [(1, 2)]},
        ),
        (
            "B-X O/S-X B-X", "B-X O/B-X B-X", {"span without its end": 2, "spelling of BIOES": 1},
            {"span without its end": [(1, 1), (2, 2)], "spelling of BIOES": [(2, 1)]},
        ),
    ],
)  # fmt: skip
def test_every_repair_is_counted_with_its_first_places(
    text: str, expected: str, counts: dict[str, int], places: dict[str, list[tuple[int, int]]]
) -> None:
    rows, report = to_bio(tags(text))
    assert rows == tags(expected)
    assert (report.counts, report.places) == (counts, places)
    assert report.num_faults == sum(count for kind, count in counts.items() if not kind.startswith("spelling"))
    assert (report.num_rows, report.num_tags) == (len(rows), sum(map(len, rows)))


def test_only_the_first_places_are_kept() -> None:
    report = to_bio([["B-X"], *[["I-X"]] * 9])[1]
    assert report.counts == {"I without B": 9}
    assert report.places == {"I without B": [(2, 1), (3, 1), (4, 1)]}


@pytest.mark.parametrize(("prefixes", "seed"), [("BI", 0), ("BI", 1), ("BIES", 2), ("BIES", 3), ("I", 4)])
def test_the_spans_are_those_that_conlleval_reads_faults_included(prefixes: str, seed: int) -> None:
    rows = random_rows(prefixes, seed)
    sound, _ = to_bio(rows)
    assert find_spans(sound, strict=True) == entities(rows)
    assert len(entities(rows)) > 100


def test_bilou_and_bmes_are_read_as_bioes() -> None:
    rows = random_rows("BIES", 5)
    expected = to_bio(rows, "BIOES")[0]
    for letters, scheme in (({"E": "L", "S": "U"}, "BILOU"), ({"I": "M"}, "BIOES")):
        spelt = [[letters.get(tag[0], tag[0]) + tag[1:] for tag in row] for row in rows]
        assert to_bio(spelt)[0] == expected
        assert to_bio(spelt)[1].scheme == scheme


def test_in_the_result_every_span_starts_with_b_and_sound_bio_comes_back_as_it_is() -> None:
    sound, report = to_bio(random_rows("BI", 6))
    assert report.num_faults > 0
    again, second = to_bio(sound)
    assert again == sound
    assert second.counts == {}


def test_what_one_row_holds_changes_no_other_row() -> None:
    rows = random_rows("BIES", 7) + random_rows("BI", 8)
    assert to_bio(rows)[0] == [to_bio([row])[0][0] for row in rows]


@pytest.mark.parametrize("tag", ["X-PER", "B", "BPER", "B-", "", "b-PER", "PER-B"])
def test_what_is_no_tag_is_refused_with_row_and_token(tag: str) -> None:
    with pytest.raises(ValueError, match="row 2, token 3: .* is no tag\nexpected O, B-TYPE"):
        to_bio([["O"], ["O", "O", tag]])


def test_mixed_schemes_are_refused_with_the_place_of_the_second() -> None:
    with pytest.raises(ValueError, match="row 2, token 2: tags of BIOES .S. and of BILOU .L. are mixed"):
        to_bio([["S-X"], ["B-X", "L-X"]])


def test_a_tag_of_another_scheme_than_the_one_named_is_refused() -> None:
    with pytest.raises(ValueError, match="row 1, token 2: 'E-X' is no tag\nexpected O, B-TYPE, I-TYPE"):
        to_bio([["B-X", "E-X"]], "BIO")
