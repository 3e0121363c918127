"""The page of an explanation is whole, says what is known and what is not, and asks nothing of any network."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slimlit.explain.packed import pack_maps, quantise, unpack
from slimlit.explain.page import draw_page
from slimlit.explain.page.document import BUDGET
from tests.browser import Browser
from tests.explain.explanations import an_answer, an_example, an_explanation, words_of


@pytest.fixture(scope="module")
def page() -> str:
    return draw_page(an_explanation())


def articles(page: str) -> list[str]:
    return re.findall(r"<article.*?</article>", page, flags=re.DOTALL)


def test_its_one_script_and_its_one_style_are_named_by_their_hashes(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; ")
    for name, found in (
        ("style", re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)),
        ("script", re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)),
    ):
        (text,) = found
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy[1]
    assert not re.findall(r"(?:https?:)?//\w+\.|src=|@import|url\(| style=| on\w+=", page)


def test_a_page_takes_fifty_thousand_bytes_a_text_at_most_with_the_attention_of_every_head() -> None:
    words = words_of(["word"] * 126)
    long = an_example("long", words, an_answer(words), layers=6, heads=12)
    page = draw_page(replace(an_explanation(), examples=[long]))
    assert len(page.encode()) <= BUDGET == 50_000
    facts = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page)[0])
    (part,) = facts["f"]
    assert f"between groups of {part['g']} neighbouring words; 6 layers of 12 heads word by word are too large" in page
    assert len(unpack(part["d"])) == 6 * 12 * (-(-len(words) // part["g"])) ** 2
    several = draw_page(an_explanation())
    assert len(several.encode()) <= 5 * BUDGET
    assert "between groups" not in articles(several)[0]


def test_special_tokens_are_said_and_not_drawn(page: str) -> None:
    first = articles(page)[0]
    assert "class=s>[CLS]" in first
    assert "class=s>[SEP]" in first
    assert "special tokens \N{MINUS SIGN}1.250 together (40 % of the map), not drawn" in first
    spoken = re.findall(r'class="spoken">(.*?)</p>', first)
    assert not any("[CLS]" in line or "[SEP]" in line for line in spoken)


def test_words_are_text_and_never_markup(page: str) -> None:
    assert "&lt;/script&gt;" in articles(page)[0]
    assert "<b></span>" not in page
    facts = re.search(r'<script type="application/json">(.*?)</script>', articles(page)[0])
    assert facts
    assert set(json.loads(facts[1])) == {"m", "s", "p", "h", "f"}


def test_where_no_token_matters_no_map_is_drawn(page: str) -> None:
    article = articles(page)[2]
    assert "No token matters here: default class" in article
    assert not re.findall(r'class="?[pn]\d', article)
    assert "comprehensiveness" not in article


def test_every_drawn_row_carries_its_test_beside_random_and_its_grade(page: str) -> None:
    first = articles(page)[0]
    assert "comprehensiveness 0.400 (random 0.100)" in first
    assert "sufficiency 0.020 (random 0.300)" in first
    assert "better than random" in first
    assert "not told from random" in first
    assert "exam: planted truth passed, weights failed" in first
    assert "The exam: it rests on 9 texts." in page
    assert "exam: not in it" in first


def test_what_is_not_known_is_said() -> None:
    words = words_of(["a"])
    answer = an_answer(words)
    ungraded = replace(answer, maps=[replace(one, grade=None) for one in answer.maps])
    examples = [an_example("text 1", words, ungraded)]
    unknown = draw_page(replace(an_explanation(), examples=examples, grades=None, teacher=None))
    assert "No exam was taken yet" in unknown
    assert "slimlit explain --run first --exam" in unknown
    assert "exam: not taken yet" in unknown
    assert "No teacher beside it" in unknown


def test_the_logit_is_drawn_as_an_exact_sum(page: str) -> None:
    assert "+2.500 of the tokens \N{MINUS SIGN}0.500 bias = 2.000" in articles(page)[0]


def test_the_teacher_stands_beside_with_its_rank_correlation(page: str) -> None:
    assert "teacher: <b>negative</b> 0.700" in articles(page)[1]
    assert "rank correlation with the student's map 0.812" in articles(page)[1]
    assert "this method does not read the teacher" in articles(page)[1]
    assert 'lang="zh"' in articles(page)[1]


def test_packed_attention_comes_back_as_near_as_it_says() -> None:
    weights = np.random.default_rng(0).dirichlet(np.full(9, 0.2), size=(2, 3, 9))
    packed = pack_maps(weights, 5000)
    assert packed is not None
    assert packed.group == 1
    back = (np.frombuffer(unpack(packed.text), np.uint8).reshape(weights.shape) / packed.levels) ** 2
    back = back.swapaxes(2, 3)
    assert (np.abs(back - weights) <= np.sqrt(weights) / packed.levels + 1 / (4 * packed.levels**2)).all()
    assert len(packed.text) <= 5000
    assert pack_maps(weights, 10) is None
    coarse = pack_maps(weights, 120)
    assert coarse is not None
    assert coarse.group > 1
    side = -(-9 // coarse.group)
    sums = ((np.frombuffer(unpack(coarse.text), np.uint8).reshape(2, 3, side, side) / coarse.levels) ** 2).sum(axis=2)
    np.testing.assert_allclose(sums, 1.0, atol=2 * side**0.5 / coarse.levels)


def test_quantised_heat_keeps_zero_and_signs() -> None:
    found, full = quantise(np.asarray([0.0, -2.0, 1.0, 1e-9]))
    assert found.tolist() == [0, -127, 64, 0]
    assert full == 2.0
    assert quantise(np.zeros(2))[0].tolist() == [0, 0]


def test_an_explanation_without_attention_or_answers_is_still_a_page() -> None:
    words = words_of(["a"])
    bare = replace(an_explanation(), examples=[replace(an_example("text 1", words), attention=[])], grades=None)
    assert "text 1" in draw_page(bare)
    one = replace(an_explanation(), examples=[an_example("text 1", words, an_answer(words))])
    assert "<nav" not in draw_page(one)


def test_in_a_browser_nothing_is_cut_empty_or_fetched_and_keys_work(
    page: str, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    for look in browser.looks(file):
        assert look.problems == []
        assert look.fetched == []
        assert "这部电影" in look.text.replace("\n", "")
    shown = "[...document.querySelectorAll('article')].map(a => a.querySelector('[data-m]:not([hidden])')?.dataset.m)"
    assert browser.run(shown) == ["0", "0", None, "0", "0"]
    shades = "[...document.querySelectorAll('#e1 p.text span')].map(s => s.className)"
    before = browser.run(shades)
    browser.press("2")
    assert browser.run(shown) == ["1", "1", None, "1", "1"]
    assert browser.run(shades) != before
    browser.press("j")
    assert browser.run("document.activeElement.id") in ("e1", "e2")
    browser.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    open_parts = "new Promise(done => setTimeout(() => done([document.querySelectorAll('#e1 .grid button').length, document.querySelectorAll('#e1 .map tbody tr').length]), 300))"
    assert browser.run(open_parts) == [12, 10]
    browser.run("document.querySelector('#e5 .answers input[value=\"2\"]').click()")
    assert browser.run("document.querySelector('#e5 section:not([hidden])').dataset.a") == "2"
    assert browser.run("document.querySelector('#e5 p.text .q').textContent") == "<b>"


def test_chinese_is_drawn_sign_by_sign_by_a_font_that_is_installed(page: str, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page, encoding="utf-8")
    browser.open(file)
    drawn = """[..."部电影\\u{10fffd}"].map((sign) => {
        const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
        context.font = "40px " + getComputedStyle(document.querySelector("#e2 p.text")).fontFamily;
        context.fillText(sign, 10, 100);
        return [...context.getImageData(0, 0, 80, 120).data].join();
    })"""
    *signs, missing = browser.run(drawn)
    if signs[0] == signs[1] or missing in signs:
        pytest.skip(
            "no Chinese font is installed: signs are drawn as boxes, as on any page; install one: fonts-noto-cjk"
        )
    assert len(set(signs)) == 3
