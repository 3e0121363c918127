"""The page of a run in a browser: nothing cut, empty, pale or fetched, and all of it within reach of a keyboard."""

import json
from pathlib import Path

import pytest

from slimlit.report import write_page
from slimlit.runs import Run
from tests.browser import Browser
from tests.report.by_hand import METRICS, WORST, write_run

HOSTILE = (
    "</script><script>window.taken = 1</script><img src=http://example.test/x onerror='window.taken = 1'>\x00\ud800"
)


def test_nothing_is_cut_empty_pale_or_fetched(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path / "teacher")
    page = write_page(write_run(tmp_path / "student", teacher=str(tmp_path / "teacher")))
    for look in browser.looks(page):
        assert look.problems == []
        assert look.fetched == []
        assert "这部电影不好" in look.text  # no blanks between its characters


@pytest.mark.parametrize("private", [False, True])
def test_a_run_that_only_trains_and_a_private_one_look_well(private: bool, browser: Browser, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", private=True) if private else Run(tmp_path / "run")
    run.folder.mkdir(exist_ok=True)
    run.metrics.write_text(METRICS)
    assert browser.look(write_page(run), width=390, dark=True).problems == []


def test_texts_and_pictures_of_the_run_can_do_nothing(browser: Browser, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", teacher="<script>window.taken = 1</script>")
    worst = [{**one, "text": HOSTILE, "label": HOSTILE, "predicted": f"'\"{HOSTILE}"} for one in WORST]
    (run.reports / "test-worst.json").write_text(json.dumps({"worst": worst}))
    (run.reports / "bench.json").write_text(json.dumps({HOSTILE: {HOSTILE: HOSTILE}}))
    (run.reports / "test-confusion.tsv").write_text(f"x\t{HOSTILE[:-2]}\n{HOSTILE[:-2]}\t3\n")
    picture = '<svg xmlns="http://www.w3.org/2000/svg"><script>window.taken = 1</script><image href="http://example.test/y"/></svg>'
    (run.reports / "audit.svg").write_text(picture)
    look = browser.look(write_page(run))
    assert look.fetched == []
    assert browser.run("window.taken") is None
    assert browser.run("document.querySelectorAll('script').length") == 1


def test_errors_are_narrowed_to_a_label_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_page(write_run(tmp_path / "run")))
    shown = "[...document.querySelectorAll('.errors > li')].filter(one => one.checkVisibility()).length"
    assert browser.run(shown) == 3
    browser.run("document.getElementById('test-label').focus()")
    for key in "good":
        browser.press(key)
    assert browser.run("document.getElementById('test-label').value") == "good"
    assert browser.run(shown) == 2
    assert browser.run("document.querySelector('.shown').textContent") == "2 of 3 shown"


def test_the_first_key_leads_past_the_head(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_page(write_run(tmp_path / "run")))
    browser.press("Tab")
    browser.press("Enter")
    assert browser.run("document.activeElement.id") == "content"


def test_on_paper_everything_is_open(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_page(write_run(tmp_path / "run")))
    inside = "document.querySelector('details pre').checkVisibility()"
    assert browser.run(inside) is False
    browser.tools.call("Emulation.setEmulatedMedia", media="print")
    assert browser.run(inside) is True
    browser.tools.call("Emulation.setEmulatedMedia", media="")
    assert browser.pdf().startswith(b"%PDF")
