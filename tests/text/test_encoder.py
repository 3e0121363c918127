"""The fast ways give the ids of the Hugging Face tokenizer, for any text, and say so where they are not taken."""

import json
import random
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from slimlit.text.tokens import encoder as module
from slimlit.text.tokens.byte_pairs import BytePairs, UnfitError, odd_characters
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.stretches import Stretches
from slimlit.text.tokens.tokenizer_training import train_tokenizer
from tests.text.test_tokenizer_training import CHINESE, SIZES, TEXTS

LETTERS = "aaabbbttthhheeeee    \n\t\r'sdl're019²½.,!-_~<>|éñüß中房间不，。！ 　\xa0\u2028\x85\x01\x1c\x00\u0301\u200b🦆👩‍👩‍👧\U00020000\ufeffİſⅧ٣"
WORDS = ["  ", "'s", "it's", "\n\n", " ", "1987", "房间", "[SEP]", "<|endoftext|>", "##s"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    parent = tmp_path_factory.mktemp("tokenizers")
    for kind, size in SIZES.items():
        train_tokenizer(TEXTS + CHINESE, kind, size, parent / kind)
    return {kind: parent / kind for kind in SIZES}


def strange_texts(num: int) -> list[str]:
    """Texts of every kind of space, digit, mark and script, most often in an order nobody writes."""
    draw = random.Random(0)
    texts = ["".join(draw.choices(LETTERS, k=draw.randrange(12))) for _ in range(num)]
    words = [*"".join(TEXTS[:8]).split(), *WORDS]
    return texts + [draw.choice(["", " "]).join(draw.choices(words, k=draw.randrange(9))) for _ in range(num)]


def slow(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def load(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.mark.parametrize(("kind", "way"), [("bpe", "tiktoken"), *((kind, "stretches") for kind in list(SIZES)[1:])])
def test_ids_are_those_of_the_hugging_face_tokenizer(kind: str, way: str, folders: dict[str, Path]) -> None:
    tokenizer, texts = load(folders[kind]), [*TEXTS, *CHINESE, *strange_texts(3000)]
    encoder = Encoder(tokenizer)
    found = [
        ids.tolist()
        for start in range(0, len(texts), 700)
        for ids in encoder.encode(texts[start : start + 700]).arrays()
    ]
    assert encoder.way == way
    assert found == slow(tokenizer, texts)


@pytest.mark.parametrize("digits", [False, True])
@pytest.mark.parametrize("way", [BytePairs, Stretches])
def test_both_ways_of_byte_pairs_are_exact_with_and_without_digits_apart(
    way: type[BytePairs] | type[Stretches], digits: bool, folders: dict[str, Path]
) -> None:
    tokenizer = load(folders["bpe"])
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pieces]) if digits else pieces
    encoder = way(tokenizer, json.loads(tokenizer.to_str()))
    texts = [text for text in strange_texts(3000) if "<|" not in text and encoder.can(text)]
    ids, lengths = encoder.encode(texts)
    assert [one.tolist() for one in np.split(ids, np.cumsum(lengths)[:-1])] == slow(tokenizer, texts)
    assert len(texts) > 3000


def test_a_vocabulary_without_some_bytes_drops_them_as_the_tokenizer_does(folders: dict[str, Path]) -> None:
    settings = json.loads((folders["bpe"] / "tokenizer.json").read_text())
    gone = {"!", "Ģ", "Ð"}  # "!", the byte 0x80 and the byte 0xD0
    model = settings["model"]
    model["merges"] = [pair for pair in model["merges"] if not gone & set("".join(pair))]
    model["vocab"] = {token: number for token, number in model["vocab"].items() if not gone & set(token)}
    tokenizer = Tokenizer.from_str(json.dumps(settings))
    texts = ["the river!", "“old”", "мир", *strange_texts(300)]
    encoder = Encoder(tokenizer)
    assert [ids.tolist() for ids in encoder.encode(texts).arrays()] == slow(tokenizer, texts)
    assert encoder.way == "tiktoken"
    assert encoder.report()["texts by the tokenizer itself"] > 3


def test_letters_unknown_to_one_of_the_libraries_are_odd() -> None:
    odd = odd_characters()
    assert not odd[[ord(letter) for letter in "a1 é中٣²\n　\xa0"]].any()
    assert odd[[0x1C, 0x0378, 0xD800]].all()  # a space for Python alone, not assigned, a surrogate


def test_a_token_that_merges_never_lead_to_is_not_made(folders: dict[str, Path]) -> None:
    alphabet = {letter: at for at, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    vocabulary = alphabet | {"bc": 256, "ab": 257, "abc": 258}
    merges = [("b", "c"), ("a", "b"), ("ab", "c")]  # "abc" is always a and bc
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    encoder = Encoder(tokenizer)
    assert encoder.encode(["abc"]).ids.tolist() == [alphabet["a"], 256] == slow(tokenizer, ["abc"])[0]
    assert encoder.way == "tiktoken"


def test_tokenizers_whose_rules_are_not_known_are_taken_as_they_are(folders: dict[str, Path]) -> None:
    tokenizer = load(folders["unigram"])
    tokenizer.normalizer = normalizers.Replace("river", "a b")
    encoder = Encoder(tokenizer)
    assert [ids.tolist() for ids in encoder.encode(TEXTS).arrays()] == slow(tokenizer, TEXTS)
    assert encoder.way == "tokenizers"
    assert [reason.split(":")[0] for reason in encoder.report()["refused"]] == ["tiktoken", "stretches"]


def test_without_tiktoken_another_way_is_taken_and_the_pip_line_is_said(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tiktoken", None)
    encoder = Encoder(load(folders["bpe"]))
    assert encoder.way == "stretches"
    assert 'pip install "slimlit[fast]"' in encoder.report()["refused"][0]


class Liar:
    """A way that is wrong from the third text on."""

    name = "liar"

    def __init__(self, tokenizer: Tokenizer, settings: dict[str, Any]) -> None:
        self.tokenizer, self.right = tokenizer, 2

    def can(self, text: str) -> bool:
        return True

    def encode(self, texts: list[str]) -> Any:
        ids = [one + (row >= self.right) for row, text in enumerate(texts) for one in slow(self.tokenizer, [text])[0]]
        return np.asarray(ids, np.uint32), np.asarray([len(one) for one in slow(self.tokenizer, texts)], np.int64)


def test_a_way_that_differs_on_the_first_texts_is_not_taken(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BytePairs", Liar)
    tokenizer = load(folders["bpe"])
    encoder = Encoder(tokenizer)
    assert [ids.tolist() for ids in encoder.encode(TEXTS).arrays()] == slow(tokenizer, TEXTS)
    assert encoder.way == "stretches"
    assert "liar: its ids differ on these texts" in encoder.report()["refused"]


def test_a_way_that_differs_later_stops_the_work(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BytePairs", Liar)
    monkeypatch.setattr(module, "EVERY", 10)
    encoder = Encoder(load(folders["bpe"]))
    encoder.encode(TEXTS[:2])
    with pytest.raises(ValueError, match=r"other ids than the tokenizer for text 10, though not for the first ones"):
        encoder.encode(TEXTS[2:20])


def test_the_tokenizer_given_keeps_its_truncation_and_the_encoder_has_none(folders: dict[str, Path]) -> None:
    tokenizer = load(folders["wordpiece"])
    tokenizer.enable_truncation(5)
    assert len(Encoder(tokenizer).encode([TEXTS[6]]).ids) > 5
    assert tokenizer.truncation["max_length"] == 5
    assert Encoder(tokenizer).fingerprint == Encoder(folders["wordpiece"]).fingerprint


def test_a_text_that_is_no_unicode_is_refused(folders: dict[str, Path]) -> None:
    for kind in SIZES:
        with pytest.raises(ValueError, match="no Unicode"):
            Encoder(load(folders[kind])).encode(["a \ud800 b"])


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tokenizer at"):
        Encoder(tmp_path)


def test_stretches_forget_rather_than_fill_the_memory(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlit.text.tokens.stretches.CAPACITY", 50)
    tokenizer = load(folders["wordpiece"])
    way = Stretches(tokenizer, json.loads(tokenizer.to_str()))
    for start in range(0, len(TEXTS), 8):
        ids, _ = way.encode(TEXTS[start : start + 8])
        assert ids.tolist() == list(chain.from_iterable(slow(tokenizer, TEXTS[start : start + 8])))


def test_dropout_is_never_remembered(folders: dict[str, Path]) -> None:
    tokenizer = load(folders["bpe"])
    settings = json.loads(tokenizer.to_str())
    settings["model"]["dropout"] = 0.1
    for way in (BytePairs, Stretches):
        with pytest.raises(UnfitError):
            way(tokenizer, settings)


def test_stretches_that_never_come_again_are_no_longer_remembered(folders: dict[str, Path]) -> None:
    texts = [f"{number}房{number * 7}间" for number in range(12_000)]
    tokenizer = load(folders["unigram"])
    encoder = Encoder(tokenizer)
    found = [encoder.encode(texts[:11_000]), encoder.encode(texts[11_000:])]
    assert [ids.tolist() for one in found for ids in one.arrays()] == slow(tokenizer, texts)
    assert encoder.way == "tokenizers"
    assert encoder.report()["refused"][-1].startswith("stretches: too few")
