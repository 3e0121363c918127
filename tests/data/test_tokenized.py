from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

import slimlit.data.kept_arrays as kept_arrays
import slimlit.data.tokenized as tokenized
from slimlit.data.files import Texts
from slimlit.data.tokenized import TokenizedTexts
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from slimlit.text.cache import cache_folder
from slimlit.text.stop_words import StopWords

TEXTS = ["the film was long and dull", "a joyful story", "music", "the mother of the child feels it again"]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tokenizer(toy_model: Path) -> Tokenizer:
    return load_tokenizer(str(toy_model))


def make(
    tokenizer: Tokenizer,
    texts: list[str] = TEXTS,
    pairs: list[str] | None = None,
    max_length: int = 20,
    stop_words: StopWords | None = None,
) -> TokenizedTexts:
    return TokenizedTexts(Texts(texts, pairs), np.arange(len(texts)), tokenizer, max_length, stop_words)


def forbid_tokenising(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("tokenised again")

    monkeypatch.setattr(tokenized, "tokenise", refuse)


def test_a_batch_is_what_the_tokenizer_says_padded_to_its_longest(tokenizer: Tokenizer) -> None:
    split = make(tokenizer)
    for rows in ([0, 1], [3], [2, 0, 3, 1], [1, 1]):
        batch = split.batch(rows)
        expected = tokenizer([TEXTS[row] for row in rows], padding=True, return_tensors="pt")
        assert batch["input_ids"].tolist() == expected["input_ids"].tolist()
        assert batch["attention_mask"].tolist() == expected["attention_mask"].tolist()
        assert batch["example_id"].tolist() == rows
        assert batch["labels"].tolist() == rows
        assert set(batch) == {"input_ids", "attention_mask", "example_id", "labels"}
    assert split.lengths.tolist() == [len(tokenizer(text)["input_ids"]) for text in TEXTS]
    assert len(split) == 4


def test_pairs_come_with_the_types_of_their_tokens(tokenizer: Tokenizer) -> None:
    pairs = ["the story", "a film of the city and the music", "it was", "long"]
    batch = make(tokenizer, pairs=pairs, max_length=10).batch([0, 1, 2, 3])
    expected = tokenizer(TEXTS, pairs, padding=True, truncation=True, max_length=10, return_tensors="pt")
    assert batch["input_ids"].tolist() == expected["input_ids"].tolist()
    assert batch["token_type_ids"].tolist() == expected["token_type_ids"].tolist()
    assert batch["token_type_ids"].any()


def test_what_is_cut_off_is_counted(tokenizer: Tokenizer) -> None:
    split = make(tokenizer, max_length=6)
    assert split.lengths.tolist() == [6, 5, 3, 6]
    assert split.tokens.num_truncated == 2
    assert make(tokenizer, max_length=6).tokens.num_truncated == 2  # also when read back
    assert make(tokenizer, pairs=["a", "a", "a film", "a"], max_length=6).tokens.num_truncated == 3


def test_the_second_time_tokens_are_read_back_mapped_from_the_disk(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = StopWords("mask")
    first = make(tokenizer, pairs=TEXTS[::-1], stop_words=words)
    forbid_tokenising(monkeypatch)
    second = make(tokenizer, pairs=TEXTS[::-1], stop_words=words)
    for name in ("input_ids", "offsets", "token_type_ids", "pooling_mask"):
        before, after = getattr(first.tokens, name), getattr(second.tokens, name)
        assert np.array_equal(before, after)
        assert isinstance(after.base, np.memmap)
        assert not after.flags.writeable
    assert second.tokens.stop_words == first.tokens.stop_words
    assert second.fingerprint == first.fingerprint


CHANGES: dict[str, Callable[[Tokenizer], TokenizedTexts]] = {
    "a text": lambda tokenizer: make(tokenizer, [*TEXTS[:3], TEXTS[3] + "."]),
    "the order": lambda tokenizer: make(tokenizer, TEXTS[::-1]),
    "where texts end": lambda tokenizer: make(tokenizer, ["".join(TEXTS[:2]), "", *TEXTS[2:]]),
    "pairs": lambda tokenizer: make(tokenizer, pairs=TEXTS),
    "other pairs": lambda tokenizer: make(tokenizer, pairs=TEXTS[::-1]),
    "the length": lambda tokenizer: make(tokenizer, max_length=19),
    "hidden words": lambda tokenizer: make(tokenizer, stop_words=StopWords("mask")),
    "other hidden words": lambda tokenizer: make(tokenizer, stop_words=StopWords("mask", keep=["the"])),
}


@pytest.fixture(params=["vocabulary", "special token", "side"])
def other_tokenizer(request: pytest.FixtureRequest, toy_model: Path, tmp_path: Path) -> Tokenizer:
    tokenizer = AutoTokenizer.from_pretrained(toy_model)
    if request.param == "vocabulary":
        tokenizer.add_tokens(["film was"])
    elif request.param == "special token":
        tokenizer.pad_token = "[MASK]"
    else:
        tokenizer.truncation_side = "left"
    return tokenizer


def test_another_text_or_setting_has_another_fingerprint(tokenizer: Tokenizer) -> None:
    prints = [make(tokenizer).fingerprint, *(change(tokenizer).fingerprint for change in CHANGES.values())]
    assert len(set(prints)) == 1 + len(CHANGES)


def test_another_tokenizer_has_another_fingerprint(tokenizer: Tokenizer, other_tokenizer: Tokenizer) -> None:
    assert make(other_tokenizer).fingerprint != make(tokenizer).fingerprint


def test_what_the_tokenizer_was_used_for_before_does_not_matter(tokenizer: Tokenizer) -> None:
    first = make(tokenizer).fingerprint
    tokenizer(TEXTS, truncation=True, max_length=3, padding="max_length")
    assert make(tokenizer).fingerprint == first


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def scribble(path: Path) -> None:
    path.write_bytes(b"#" * path.stat().st_size)


def empty(path: Path) -> None:
    path.write_text("[]")


def zero(path: Path) -> None:
    """As after a power cut: the size is there, the last bytes are not."""
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes(8))


@pytest.mark.parametrize("file", ["input_ids.npy", "offsets.npy", "manifest.json"])
@pytest.mark.parametrize("damage", [Path.unlink, truncate, scribble, empty, zero])
def test_a_damaged_cache_is_made_again(damage: Callable[[Path], None], file: str, tokenizer: Tokenizer) -> None:
    first = make(tokenizer)
    folder = cache_folder() / "tokens" / first.fingerprint
    damage(folder / file)
    again = make(tokenizer)
    assert np.array_equal(again.tokens.input_ids, first.tokens.input_ids)
    assert tokenized.load(folder) is not None
    assert [path.name for path in folder.parent.iterdir()] == [first.fingerprint]


def test_an_interrupted_write_leaves_nothing_behind(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(kept_arrays.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        make(tokenizer)
    assert not list((cache_folder() / "tokens").iterdir())


def test_exactly_the_stop_words_are_hidden_and_special_tokens_are_not(tokenizer: Tokenizer) -> None:
    split = make(tokenizer, stop_words=StopWords("mask"))
    batch = split.batch([0, 1, 3])
    for row, tokens in enumerate(batch["input_ids"].tolist()):
        for token, visible, real in zip(
            tokenizer.convert_ids_to_tokens(tokens),
            batch["pooling_mask"][row].tolist(),
            batch["attention_mask"][row].tolist(),
            strict=True,
        ):
            hidden = token in {"the", "was", "and", "a", "of", "it", "again"}
            assert visible == (real and not hidden), token
    plain = make(tokenizer).batch([0, 1, 3])
    assert batch["input_ids"].tolist() == plain["input_ids"].tolist()
    assert split.tokens.stop_words is not None
    assert split.tokens.stop_words["stop words found"] == 3 + 1 + 5


def test_all_pieces_of_a_stop_word_are_hidden(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "words").write_text("zebra's\n")
    batch = make(
        tokenizer, ["zebra’s film", "film zebra"], stop_words=StopWords("mask", words=str(tmp_path / "words"))
    ).batch([0, 1])
    pieces = tokenizer.tokenize("zebra’s")
    assert len(pieces) > 3
    assert batch["pooling_mask"][0].tolist() == [1, *[0] * len(pieces), 1, 1]
    assert batch["pooling_mask"][1].sum() == batch["attention_mask"][1].sum()  # "zebra" is another word


def test_stop_words_of_both_texts_of_a_pair_are_hidden(tokenizer: Tokenizer) -> None:
    batch = make(tokenizer, ["the film"], ["a story of music"], stop_words=StopWords("mask")).batch([0])
    assert batch["pooling_mask"].tolist() == [[1, 0, 1, 1, 0, 1, 0, 1, 1]]


def test_a_text_of_stop_words_only_is_not_hidden(tokenizer: Tokenizer) -> None:
    batch = make(tokenizer, ["it was the", "the film"], stop_words=StopWords("mask")).batch([0, 1])
    assert batch["pooling_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]]


def test_a_text_whose_visible_words_are_cut_off_is_not_hidden(tokenizer: Tokenizer) -> None:
    batch = make(tokenizer, ["it was the film"], max_length=5, stop_words=StopWords("mask")).batch([0])
    assert batch["pooling_mask"].tolist() == [[1, 1, 1, 1, 1]]


def test_chinese_stop_words_are_hidden(tokenizer: Tokenizer) -> None:
    batch = make(tokenizer, ["我的音乐在城市很精彩"], stop_words=StopWords("mask", "zh")).batch([0])
    shown = [
        token
        for token, visible in zip(
            tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist()),
            batch["pooling_mask"][0].tolist(),
            strict=True,
        )
        if visible
    ]
    assert shown == ["[CLS]", "音", "乐", "城", "市", "很", "精", "彩", "[SEP]"]


@pytest.mark.parametrize("mode", ["off", "drop"])
def test_only_the_mode_mask_hides(mode: Any, tokenizer: Tokenizer) -> None:
    assert "pooling_mask" not in make(tokenizer, stop_words=StopWords(mode)).batch([0])
