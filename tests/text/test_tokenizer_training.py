"""A trained tokenizer loads as a fast one, is the same each time, and says what it was made of."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from slimlit.models.tokenizers import load_tokenizer
from slimlit.privacy.ledger import Ledger, fingerprint, machine_key
from slimlit.text.cache import cache_folder
from slimlit.text.tokens.tokenizer_training import Kind, train_tokenizer

KINDS = get_args(Kind)
SENTENCE = "the old river runs under seven stone bridges while 42 children watch ducks swimming towards evening"
WORDS = SENTENCE.split()
TEXTS = [" ".join(WORDS[start : start + 4 + start % 7]) + f", {start}!" for start in range(16)] * 8
CHINESE = ["这家酒店的房间很干净", "服务态度不错，下次还来", "电脑 USB 接口太少了", "价格便宜，房间也大"] * 6
SIZES = {"bpe": 300, "wordpiece": 120, "unigram": 100, "characters": 167}


def train(kind: Kind, folder: Path, texts: list[str] | None = None) -> Path:
    train_tokenizer(iter(TEXTS + CHINESE if texts is None else texts), kind, SIZES[kind], folder, source="notes.txt")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads_as_a_fast_tokenizer_of_the_size_asked_for_with_right_offsets(kind: Kind, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(train(kind, tmp_path / "made")))
    assert (len(tokenizer), tokenizer.model_max_length) == (SIZES[kind], 512)
    text = "the river, 42 ducks  房间 不错"
    encoded = tokenizer(text, return_offsets_mapping=True)
    spans = dict.fromkeys(encoded["offset_mapping"])  # the bytes of one character stand in one place
    whole = "".join(text[start:end] for start, end in spans)
    assert whole.replace(" ", "") == text.replace(" ", "")
    named = {tokenizer.pad_token, *(() if kind == "bpe" else (tokenizer.cls_token, tokenizer.sep_token))}
    assert named <= set(tokenizer.all_special_tokens)
    if kind == "bpe":
        assert tokenizer.eos_token == "<|endoftext|>"
    else:
        ids = encoded["input_ids"]
        assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
        assert tokenizer.mask_token == "[MASK]"
        assert tokenizer("a", "b")["token_type_ids"][-1] == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_files_byte_for_byte(kind: Kind, tmp_path: Path) -> None:
    one, two = train(kind, tmp_path / "one" / "made"), train(kind, tmp_path / "two" / "made")
    assert {file.name: file.read_bytes() for file in one.iterdir()} == {
        file.name: file.read_bytes() for file in two.iterdir()
    }


def test_byte_pairs_turn_any_text_back_into_itself(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(train("bpe", tmp_path / "made")))
    for text in ("naïve  café\n\n\t2025 ¿", "从未见过的字 🦆", "\x01\x7f", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.tokenize("1987") == ["1", "9", "8", "7"]


def test_each_chinese_character_that_comes_twice_is_a_token_and_words_of_other_scripts_stay_whole(
    tmp_path: Path,
) -> None:
    tokenizer = load_tokenizer(str(train("characters", tmp_path / "made")))
    assert tokenizer.tokenize("酒店USB不错") == ["酒", "店", "USB", "不", "错"]
    assert tokenizer.unk_token_id not in tokenizer("".join(sorted(set("".join(CHINESE)) - set("USB "))))["input_ids"]


def test_rare_characters_take_no_place_among_word_pieces_but_chinese_ones_do(tmp_path: Path) -> None:
    texts = ["plain words here " * 40] * 40 + ["☃ 龙 龙"]
    for kind, known in (("wordpiece", False), ("characters", True)):
        size = 26 + known
        train_tokenizer(texts, kind, size, tmp_path / kind)
        vocabulary = load_tokenizer(str(tmp_path / kind)).get_vocab()
        assert ("☃" in vocabulary, "龙" in vocabulary) == (False, known)


def test_more_special_tokens_are_never_cut(tmp_path: Path) -> None:
    train_tokenizer(TEXTS, "bpe", 300, tmp_path / "made", special_tokens=["<|im_start|>"])
    tokenizer = load_tokenizer(str(tmp_path / "made"))
    assert tokenizer.tokenize("the<|im_start|>old").count("<|im_start|>") == 1
    assert "<|im_start|>" in tokenizer.all_special_tokens


def test_privacy_json_says_that_these_texts_made_a_vocabulary_without_noise(tmp_path: Path) -> None:
    folder = train("wordpiece", tmp_path / "made")
    ledger = Ledger.read(folder / "privacy.json")
    (stage,) = ledger.stages
    assert (stage.kind, stage.steps, stage.source, stage.split) == ("vocabulary", None, "notes.txt", "train")
    assert stage.data == fingerprint(TEXTS + CHINESE, None, machine_key(cache_folder()))
    assert stage.num_units == len(TEXTS + CHINESE)
    assert "without noise" in ledger.statement()
    assert "epsilon is infinite" in ledger.statement()
    assert json.loads((folder / "training.json").read_text())["texts"] == stage.num_units


def test_what_cannot_be_trained_is_refused_in_a_line_or_two(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of: bpe"):
        train_tokenizer(TEXTS, "words", 100, tmp_path / "made")
    with pytest.raises(ValueError, match=r"a vocabulary of \d+ tokens, not 9,000"):
        train_tokenizer(TEXTS, "bpe", 9000, tmp_path / "made")
    with pytest.raises(ValueError, match="expected at least 258"):
        train_tokenizer(TEXTS, "bpe", 100, tmp_path / "made")
    for kind in ("wordpiece", "unigram", "characters"):
        with pytest.raises(ValueError, match="different characters"):
            train_tokenizer(TEXTS, kind, 20, tmp_path / "made")
    with pytest.raises(ValueError, match="lowercase has no effect"):
        train_tokenizer(TEXTS, "bpe", 300, tmp_path / "made", lowercase=True)
    assert list(tmp_path.iterdir()) == []
    train("wordpiece", tmp_path / "made")
    with pytest.raises(ValueError, match="exists"):
        train("wordpiece", tmp_path / "made")


def test_a_training_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def texts() -> Iterator[str]:
        yield "one"
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        train_tokenizer(texts(), "wordpiece", 10, tmp_path / "made")
    assert list(tmp_path.iterdir()) == []
