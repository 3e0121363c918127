"""Canaries as they are drawn and kept: independent, distinct, and nobody else's to read."""

import stat
from pathlib import Path

import numpy as np
import pytest

from slimlit.privacy.canaries import draw_canaries, read_canaries, write_canaries

WORDS = [f"word{number}" for number in range(60)]


def test_coins_and_labels_are_fair_and_texts_distinct() -> None:
    drawn = draw_canaries(2000, WORDS, 5, ["a", "b"], np.random.default_rng(0))
    coins, labels = np.array([one.planted for one in drawn]), np.array([one.label == "a" for one in drawn])
    for share in (coins.mean(), labels.mean(), (coins == labels).mean()):
        assert abs(share - 0.5) < 4 * 0.5 / 2000**0.5
    assert len({one.text for one in drawn}) == 2000
    assert {len(one.text.split()) for one in drawn} == {5}
    assert {one.pair for one in drawn} == {None}


def test_pairs_have_two_texts() -> None:
    (one,) = draw_canaries(1, WORDS, 5, ["a", "b"], np.random.default_rng(0), pairs=True)
    assert one.pair is not None
    assert one.pair != one.text


def test_only_the_owner_reads_them_and_they_come_back_as_they_were(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    drawn = draw_canaries(20, WORDS, 5, ["a", "b"], np.random.default_rng(0), pairs=True)
    assert read_canaries(folder) is None
    write_canaries(folder, drawn)
    assert read_canaries(folder) == drawn
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_damaged_file_and_too_few_words_are_told(tmp_path: Path) -> None:
    (tmp_path / "canaries.jsonl").write_text('{"text": "x"}\n')
    with pytest.raises(ValueError, match="is damaged"):
        read_canaries(tmp_path)
    with pytest.raises(ValueError, match="too few texts"):
        draw_canaries(100, ["one", "two"], 3, ["a"], np.random.default_rng(0))
