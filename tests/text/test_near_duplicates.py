"""Planted near-duplicates are found, texts that are not alike stay, and sketches do not depend on company."""

import random
from pathlib import Path

import numpy as np
import pytest

from slimlit.text.prepare.clusters import Clusters
from slimlit.text.prepare.near_duplicates import NearDuplicates
from slimlit.text.prepare.reading import normal_form
from slimlit.text.prepare.sketches import grams, num_common, sketch
from tests.text.outputs import LETTERS, words


def jaccard(one: str, other: str) -> float:
    """By sets of strings, nothing hashed."""
    first, second = ({text[place : place + 13] for place in range(len(text) - 12)} for text in (one, other))
    return len(first & second) / len(first | second)


def pair(rng: random.Random, length: int, low: float, high: float) -> tuple[str, str]:
    """A text and an edit of it whose similarity is between the two."""
    while True:
        text = " ".join(words(rng, length // 6))
        letters = list(text)
        for _ in range(max(1, round(len(text) * 0.008))):
            letters[rng.randrange(len(letters))] = rng.choice(LETTERS)
        if low <= jaccard(text, "".join(letters)) < high:
            return text, "".join(letters)


@pytest.mark.parametrize("alphabet", ["", "字"], ids=["ASCII", "Unicode"])
def test_the_hashed_similarity_is_that_of_the_strings(alphabet: str) -> None:
    rng = random.Random(1)
    for _ in range(20):
        one, other = (alphabet + text for text in pair(rng, 400, 0.5, 1.0))
        first, second = grams(one, 13), grams(other, 13)
        common = num_common(first, second)
        assert common / (len(first) + len(second) - common) == jaccard(one, other)


@pytest.mark.parametrize("length", [250, 1500])
def test_pairs_of_similarity_0_8_and_more_meet_in_a_band(length: int) -> None:
    rng = random.Random(2)
    pairs = [pair(rng, length, 0.8, 0.9) for _ in range(150)]
    found = [sketch([texts[side] for texts in pairs], 13, 21, 6).bands for side in (0, 1)]
    met = (found[0] == found[1]).any(axis=0)
    # each pair misses with probability (1 - 0.8 ** 6) ** 21 = 0.0017 at most, so 3 or more of 150 with 0.002
    assert np.count_nonzero(~met) < 3


def test_unlike_texts_meet_in_no_band() -> None:
    rng = random.Random(3)
    found = sketch([" ".join(words(rng, 100)) for _ in range(500)], 13, 21, 6).bands
    assert all(len(set(band.tolist())) == 500 for band in found)


def test_a_texts_sketch_is_the_same_whatever_texts_it_is_sketched_with() -> None:
    rng = random.Random(4)
    texts = [" ".join(words(rng, rng.choice([1, 5, 300, 9000]))) for _ in range(40)] + ["", "x", "字" * 30]
    together = sketch(texts, 13, 21, 6)
    starts = np.concatenate([[0], np.cumsum(together.num_samples)])
    for number, text in enumerate(texts):
        alone = sketch([text], 13, 21, 6)
        assert (alone.bands[:, 0] == together.bands[:, number]).all()
        assert (alone.sample == together.sample[starts[number] : starts[number + 1]]).all()


def test_a_text_shorter_than_an_ngram_is_one_ngram() -> None:
    assert len(grams("short", 13)) == 1
    assert num_common(grams("short", 13), grams("short", 13)) == 1
    assert num_common(grams("short", 13), grams("shore", 13)) == 0


def test_a_cluster_is_named_by_its_first_document() -> None:
    clusters = Clusters(np.arange(6))
    for one, other in [(4, 5), (3, 4), (1, 5)]:
        clusters.join(one, other)
    assert clusters.firsts().tolist() == [0, 1, 2, 1, 1, 1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"threshold": 0.0}, "threshold is 0"), ({"num_bands": 30}, "at most 128 rows"), ({"num_rows": 0}, "1 or more")],
)
def test_impossible_settings_are_refused(settings: dict[str, float], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=said):
        NearDuplicates(**settings)  # type: ignore[arg-type]


def test_case_spacing_and_punctuation_make_no_difference() -> None:
    assert normal_form("The Same, text!") == normal_form("the   same\ntext")
