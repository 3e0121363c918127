from collections import Counter
from pathlib import Path

import pytest

from slimlit.data.files import Columns, read_texts
from slimlit.data.toy import Language, ToyReview, toy_pairs, toy_reviews, toy_words, write_toy_files


def opinions(language: Language) -> dict[str, str]:
    """The label that each deciding word stands for, learned from other reviews."""
    return {review.words[review.deciding]: review.label for review in toy_reviews(400, seed=9, language=language)}


def decides(review: ToyReview, meaning: dict[str, str]) -> bool:
    """Whether the deciding word is the only one with a meaning, and has the right one."""
    found = {place: meaning[word] for place, word in enumerate(review.words) if word in meaning}
    return found == {review.deciding: review.label}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_exactly_one_word_decides_and_its_place_is_known(language: Language) -> None:
    meaning = opinions(language)
    reviews = toy_reviews(200, language=language)
    assert all(decides(review, meaning) for review in reviews)
    assert len({review.deciding for review in reviews}) > 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_reviews_are_balanced_short_and_of_known_words(language: Language) -> None:
    reviews = toy_reviews(200, language=language)
    assert Counter(review.label for review in reviews) == {"negative": 100, "positive": 100}
    assert {len(review.words) for review in reviews} == set(range(5, 15))
    assert all(set(review.words) <= set(toy_words(language)) for review in reviews)
    assert all(review.text == (" " if language == "en" else "").join(review.words) for review in reviews)


def test_the_same_seed_gives_the_same_reviews_and_another_one_others() -> None:
    assert toy_reviews(20, seed=1) == toy_reviews(20, seed=1) != toy_reviews(20, seed=2)


@pytest.mark.parametrize("num_examples", [1, 2, 3, 100])
def test_pairs_are_the_same_where_their_deciding_words_agree(num_examples: int) -> None:
    pairs = toy_pairs(num_examples)
    assert len(pairs) == num_examples
    assert all((first.label == second.label) == (label == "same") for first, second, label in pairs)
    if num_examples == 100:
        assert Counter((first.label, label) for first, _, label in pairs) == {
            ("negative", "same"): 25, ("negative", "different"): 25,
            ("positive", "same"): 25, ("positive", "different"): 25,
        }  # fmt: skip
    texts = [review.text for *both, _ in pairs for review in both]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_toy_files_are_read_whole(language: Language, tmp_path: Path) -> None:
    write_toy_files(tmp_path, num_train=30, num_other=10, language=language)
    for seed, (split, count) in enumerate({"train": 30, "validation": 10, "test": 10}.items()):
        texts = read_texts(str(tmp_path / f"{split}.csv"), Columns())
        reviews = toy_reviews(count, seed, language)
        assert (texts.texts, texts.labels) == ([one.text for one in reviews], [one.label for one in reviews])
