"""Words are found with their contractions, signs and scripts, each where it stands."""

import random

import pytest

from slimlit.text.segmentation import _ASCII_WORD, _WORD, fold, rule, split


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's a well-made film; I don't mind.", ["it's", "a", "well-made", "film", "i", "don't", "mind"]),
        ("Isn’t it? N'T 'quoted' 90's", ["isn't", "it", "n't", "quoted", "90's"]),
        ("snake_case -- (42) e.g.", ["snake", "case", "42", "e", "g"]),
        ("हिन्दी में नहीं", ["हिन्दी", "में", "नहीं"]),
        ("نمی\u200cخواهم", ["نمی\u200cخواهم"]),
        ("", []),
        ("?!", []),
    ],
)
def test_words_keep_contractions_hyphens_and_vowel_signs(text: str, words: list[str]) -> None:
    assert split(fold(text), "en")[1] == words


def test_chinese_is_segmented_without_spaces() -> None:
    pytest.importorskip("rjieba")
    assert split("服务很好，没有热水。", "zh")[1] == ["服务", "很", "好", "没有", "热水"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pieces_joined_are_the_text(language: str) -> None:
    if language == "zh":
        pytest.importorskip("rjieba")
    draw = random.Random(1)
    for _ in range(500):
        text = fold("".join(draw.choices("aB1' -.’\n\u3000好不是e\u0301😀İß。", k=draw.randrange(20))))
        assert "".join(split(text, language)[0]) == text


def test_folding_moves_no_character() -> None:
    for text in ("İstanbul ẞtraße DON’T", "ﬁne"):
        assert len(fold(text)) == len(text)
    assert fold("DON’T") == "don't"


def test_the_fast_rule_for_ascii_finds_the_same_words() -> None:
    draw = random.Random(2)
    for _ in range(2000):
        text = "".join(draw.choices("aZ9'-_ .", k=draw.randrange(16)))
        assert _ASCII_WORD.split(text) == _WORD.split(text)


def test_the_rule_names_the_segmenter_it_depends_on() -> None:
    pytest.importorskip("rjieba")
    assert rule("zh").startswith("rjieba ")
    assert rule("en") != rule("zh")
