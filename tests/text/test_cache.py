"""Where the cache folder is."""

from pathlib import Path

import pytest

from slimlit.text.cache import cache_folder


def test_the_cache_folder_is_the_one_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", "~/mine")
    assert cache_folder() == Path.home() / "mine"


def test_the_cache_folder_follows_the_desktop_standard_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIMLIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache_folder() == Path("/elsewhere/slimlit")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "slimlit"
