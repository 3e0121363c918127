from pathlib import Path

import pytest

from slimlit.models.tokenizers import load_tokenizer, special_ids


def test_a_folder_has_a_tokenizer(toy_model: Path) -> None:
    assert load_tokenizer(str(toy_model)).tokenize("the film") == ["the", "film"]


def test_a_run_has_the_tokenizer_of_its_student(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "student").symlink_to(toy_model)
    assert load_tokenizer(str(tmp_path)).tokenize("the film") == ["the", "film"]


def test_a_bundle_has_a_tokenizer(toy_bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(toy_bundles))
    assert load_tokenizer("minilm").tokenize("the film") == ["the", "film"]


def test_a_bundle_that_is_not_downloaded_is_told_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match="'minilm' is not downloaded yet\ntype: python -m slimlit download minilm"):
        load_tokenizer("minilm")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tokenizer at .*: there is no such folder"):
        load_tokenizer(str(tmp_path / "none"))


def test_an_unknown_name_is_told_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # read at import only
    with pytest.raises(
        ValueError, match=r"no tokenizer at 'minilmm'.*\ndid you mean 'minilm'\? expected a run"
    ) as told:
        load_tokenizer("minilmm")
    assert len(str(told.value).splitlines()) <= 5


def test_a_folder_without_a_tokenizer_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tokenizer at ") as told:
        load_tokenizer(str(tmp_path))
    assert len(str(told.value).splitlines()) <= 5


def test_an_unknown_word_is_a_word_and_no_special_token(toy_model: Path) -> None:
    tokenizer = load_tokenizer(str(toy_model))
    ids = tokenizer("☃ the film")["input_ids"]
    assert tokenizer.unk_token_id in ids
    assert [token in special_ids(tokenizer) for token in ids] == [True, *[False] * (len(ids) - 2), True]
