"""Drawings are well-formed SVG in which nothing is cut and nothing is unescaped."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from slimlit.explain.drawing import break_text, text_width, wrap_text
from slimlit.explain.heat_map import draw_heat_maps
from slimlit.explain.word_strip import draw_word_strips
from slimlit.explain.words import Word

SVG = "{http://www.w3.org/2000/svg}"


def strip(texts: list[str], weights: list[float] | None = None, width: float = 400.0) -> ElementTree.Element:
    words = [Word(text, (number,)) for number, text in enumerate(texts)]
    values = np.array(weights or [1 / len(texts)] * len(texts))
    return ElementTree.fromstring(draw_word_strips("title", ["line"], words, {"head": values}, "end", width=width))


def written(svg: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]


def test_markup_in_a_text_is_shown_and_not_obeyed() -> None:
    nasty = '<script>alert("1")</script>&amp;'
    svg = strip([nasty, "word"], width=900.0)
    assert nasty in written(svg)
    assert not list(svg.iter(f"{SVG}script"))


def test_characters_xml_cannot_hold_are_replaced() -> None:
    assert "a\ufffdb\ufffd" in written(strip(["a\x00b\ud800"]))


def test_a_long_text_wraps_inside_the_picture() -> None:
    svg = strip(["word"] * 300)
    right = [float(box.get("x", 0)) + float(box.get("width", 0)) for box in svg.iter(f"{SVG}rect")]
    assert max(right) <= 400.0
    assert written(svg).count("word") == 300
    bottom = max(float(text.get("y", 0)) for text in svg.iter(f"{SVG}text"))
    assert bottom < float(svg.get("height", 0))


def test_a_word_wider_than_the_line_is_broken_and_not_cut() -> None:
    address = "https://example.org/" + "abcdefghij" * 30
    svg = strip(["see", address])
    assert address in "".join(text for text in written(svg) if text != "50")
    assert all(float(text.get("textLength", 0)) <= 400.0 for text in svg.iter(f"{SVG}text"))


def test_full_width_characters_are_measured_as_wide_as_high() -> None:
    assert text_width("不好", 10.0) == pytest.approx(20.0)
    assert text_width("e\u0301", 10.0) == text_width("e", 10.0)


def test_lines_break_at_spaces_and_keep_every_word() -> None:
    text = "the quick brown fox jumps over the lazy dog " * 5
    lines = wrap_text(text, 10.0, 120.0)
    assert " ".join(lines).split() == text.split()
    assert all(text_width(line, 10.0) <= 120 for line in lines)
    assert "".join(break_text("abcdefghij" * 9, 10.0, 50.0)) == "abcdefghij" * 9


def test_the_heaviest_word_is_the_darkest() -> None:
    svg = strip(["a", "b", "c"], [0.1, 0.6, 0.3])
    shade = {
        title.text.split(":")[0]: float(box.get("fill-opacity", 0))
        for box in svg.iter(f"{SVG}rect")
        if (title := box.find(f"{SVG}title")) is not None and title.text
    }
    assert shade["b"] > shade["c"] > shade["a"] > 0


def test_equal_weights_are_drawn_light() -> None:
    svg = strip(["a"] * 10)
    shades = {box.get("fill-opacity") for box in svg.iter(f"{SVG}rect") if box.find(f"{SVG}title") is not None}
    assert shades == {"0.333"}


def test_a_heat_map_shows_every_label_and_number() -> None:
    values = np.array([[3.0, 1.0], [0.0, 2.0]])
    labels = ["negative", "积极"]
    picture = draw_heat_maps("t", {"": values}, labels, labels, "c", [["3", "1"], ["0", "2"]], ("label", "student"))
    texts = written(ElementTree.fromstring(picture))
    assert texts.count("negative") == texts.count("积极") == 2
    assert {"0", "1", "2", "3"} <= set(texts)


def test_a_heat_map_of_nothing_but_zeros_has_no_shade() -> None:
    svg = ElementTree.fromstring(draw_heat_maps("t", {"head 1": np.zeros((3, 3))}, ["a"] * 3, ["b"] * 3, "c"))
    assert not list(svg.iter(f"{SVG}path"))


def test_a_heat_map_shades_each_square_by_its_value() -> None:
    values = np.array([[1.0, 1.0, 0.0], [0.0, 0.5, 1.0]])
    svg = ElementTree.fromstring(draw_heat_maps("t", {"head 1": values}, ["a"] * 2, ["b"] * 3, "c"))
    areas = {path.get("fill-opacity"): path.get("d", "") for path in svg.iter(f"{SVG}path")}
    assert set(areas) == {"0.500", "1.000"}
    assert [float(width) for width in re.findall(r"M[^h]*h(\d+)", areas["1.000"])] == [30.0, 15.0]
    assert [float(width) for width in re.findall(r"M[^h]*h(\d+)", areas["0.500"])] == [15.0]


def test_a_wide_heat_map_widens_the_picture() -> None:
    names = [f"word{number}" for number in range(120)]
    svg = ElementTree.fromstring(draw_heat_maps("t", {"head 1": np.eye(120)}, names, names, "c"))
    frame = next(box for box in svg.iter(f"{SVG}rect") if box.get("class") == "frame")
    assert float(frame.get("x", 0)) + float(frame.get("width", 0)) <= float(svg.get("width", 0))
    squares = sum(len(re.findall("M", path.get("d", ""))) for path in svg.iter(f"{SVG}path"))
    assert squares == 120


def test_a_map_of_equal_values_is_drawn_light_where_a_least_full_shade_is_given() -> None:
    picture = draw_heat_maps("t", {"head 1": np.full((3, 3), 0.1)}, ["a"] * 3, ["b"] * 3, "c", least=0.3)
    shades = {path.get("fill-opacity") for path in ElementTree.fromstring(picture).iter(f"{SVG}path")}
    assert shades == {"0.333"}
