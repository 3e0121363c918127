"""An explanation in the terminal: colours where there are some, bars where there are none."""

from dataclasses import replace

import pytest

from slimlit.explain.terminal import draw_lines, has_colours
from tests.explain.explanations import an_answer, an_example, an_explanation, words_of


def test_without_colours_words_have_bars_and_every_map_its_test() -> None:
    text = draw_lines(an_explanation(), colours=False)
    assert "\x1b" not in text
    assert "gorgeous" in text
    assert "|+" in text
    assert "-|" in text
    assert "comprehensiveness 0.400 (random 0.100); sufficiency 0.020 (random 0.300); better than random" in text
    assert "exam: planted truth passed" in text


def test_with_colours_the_text_is_written_once_for_each_map() -> None:
    text = draw_lines(an_explanation(), colours=True)
    assert text.count("gorgeous") == 2
    assert "\x1b[30;48;5;" in text
    assert text.count("\x1b[0m") == text.count("\x1b[30;48;5;")


def test_bars_of_chinese_words_begin_in_one_column() -> None:
    words = words_of(["好", "good"])
    text = draw_lines(
        replace(an_explanation(), examples=[an_example("text 1", words, an_answer(words))]), colours=False
    )
    lines = [line for line in text.splitlines() if line.startswith("  ") and "|" in line]
    assert "special tokens: -1.250 together, 40 % of the map; not drawn" in text
    assert len({line.index("|") + line.count("好") for line in lines}) == 1


def test_a_default_class_has_no_map() -> None:
    words = words_of(["a"])
    example = an_example("text 1", words, an_answer(words, is_default=True))
    text = draw_lines(replace(an_explanation(), examples=[example]), colours=True)
    assert "No token matters here" in text
    assert "\x1b" not in text


def test_signs_that_steer_a_terminal_are_not_written() -> None:
    words = words_of(["a\x1b[2Jb"])
    text = draw_lines(
        replace(an_explanation(), examples=[an_example("text 1", words, an_answer(words))]), colours=False
    )
    assert "\x1b" not in text


def test_no_color_and_pipes_have_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert has_colours(True)
    assert not has_colours(False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not has_colours(True)
