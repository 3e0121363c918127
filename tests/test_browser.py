"""The look at a page finds what is wrong with it, and nothing where nothing is."""

from pathlib import Path

import pytest

from tests.browser import Browser

HEAD = '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>x</title>'


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<p>a</p><img alt="" src="http://example.test/x.png">', "fetches http://example.test/x.png"),
        ("<p>a</p><script>throw new Error('oops')</script>", "a script failed: Error: oops"),
        ("<div style='width:3000px'>a</div>", "cut: the page is 30"),
        ("<p style='overflow:hidden;width:20px;white-space:nowrap'>cut off</p>", "cut: text is hidden to the right"),
        (
            "<svg role=img aria-label=s width=50 height=20><text x=40 y=15>hello</text></svg>",
            "cut: text over a picture",
        ),
        ("<p>a</p><section><h2>Errors</h2></section>", "empty: a heading with nothing below"),
        ("", "empty: the page has no text"),
        ("<p style='color:#888;background:#777'>a</p>", "pale: 1.3 to 1"),
        ("<p>a</p><button></button>", "nameless: <button>"),
    ],
)
def test_what_is_wrong_with_a_page_is_told(body: str, told: str, browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(HEAD + body)
    assert any(problem.startswith(told) for problem in browser.look(page).problems)


def test_nothing_is_said_of_a_good_page(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"{HEAD}<h1>All is well, 一切都好</h1><p>and read</p>", encoding="utf-8")
    looks = list(browser.looks(page))
    assert [look.problems for look in looks] == [[], [], [], []]
    assert [(look.width, look.dark) for look in looks] == [(1280, False), (1280, True), (390, False), (390, True)]
    assert "一切都好" in looks[0].text
    assert looks[0].picture.startswith(b"\x89PNG")


def test_keys_reach_the_page(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"{HEAD}<button onclick='document.title=\"pressed\"'>a</button>")
    browser.open(page)
    browser.press("Tab")
    browser.press("Enter")
    assert browser.run("document.title") == "pressed"
