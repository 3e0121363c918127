"""Cleaning gives each text one form."""

import random
import unicodedata

from slimlit.text.clean import clean, clean_lines


def test_letters_are_composed() -> None:
    assert clean("cafe\u0301") == "caf\u00e9"


def test_white_space_becomes_one_space_and_none_at_the_ends() -> None:
    assert clean("\ufeff a\t\r\n b\u3000\u00a0c\x0bd\x0ce\x85f \n") == "a b c d e f"


def test_control_and_invisible_characters_go() -> None:
    assert clean("a\x00b\x07c\u200bd\u00ade\x9bf\u202eg") == "abcdefg"


def test_half_characters_that_no_file_can_hold_go() -> None:
    assert clean("a\ud83db").encode() == b"ab"


def test_joiners_that_make_words_and_emoji_stay() -> None:
    for text in ("می\u200cخواهم", "👩\u200d💻"):
        assert clean(text) == text


def test_chinese_text_stays_as_it_is() -> None:
    text = "这个酒店真的不怎么样，没有热水！"
    assert clean(text) == text


def test_cleaning_twice_is_cleaning_once() -> None:
    letters = "ae \u0301\u0327\u200b\u200d\u00ad\x00\x0c\x85\u2028\u3000\u1100\u1161\u11a8\u212b\ufeff\ud800好İ\t"
    draw = random.Random(0)
    for _ in range(5000):
        text = "".join(draw.choices(letters, k=draw.randrange(12)))
        once = clean(text)
        assert clean(once) == once, ascii(text)
        assert unicodedata.is_normalized("NFC", once)


def test_lines_and_indentation_stay_where_a_text_is_written_again() -> None:
    assert clean_lines("  a\r\n\n    b\u200b\x00  c \n") == "a\n\n    b  c"
    assert clean_lines("u\u0308\n- x") == "ü\n- x"


def test_cleaning_lines_twice_is_cleaning_them_once() -> None:
    for text in (" a\r\r\n b", "\u200b \n x", "\ufeff\r\n"):
        assert clean_lines(clean_lines(text)) == clean_lines(text)
