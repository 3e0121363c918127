"""Tags stay with their words, whatever a tokenizer makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import BertTokenizer

from slimlit.data.sentences import Sentences
from slimlit.data.tagged import Tagged, tokenise
from slimlit.data.toy_tags import toy_sentences
from slimlit.models.tokenizers import Tokenizer, load_tokenizer
from tests.tasks.tagging import toy_tagging


@pytest.fixture(scope="module")
def tokenizer(toy_model: Path) -> Tokenizer:
    return load_tokenizer(str(toy_model))


def tagged(
    words: list[list[str]], tokenizer: Tokenizer, max_length: int = 32, teacher: Tokenizer | None = None
) -> Tagged:
    """The sentences with their words' numbers as tags."""
    classes = [np.arange(len(sentence), dtype=np.int64) for sentence in words]
    sentences = Sentences(words, [], [None] * len(words), [[] for _ in words])
    return tokenise(sentences, classes, tokenizer, max_length, teacher)


def asked(split: Tagged, row: int) -> list[tuple[int, int]]:
    batch = split.batch([row])
    pairs = zip(batch["labels"][0].tolist(), batch["word_ids"][0].tolist(), strict=True)
    return [(label, word) for label, word in pairs if label >= 0]


def test_the_first_sub_word_carries_the_tag_and_the_others_are_not_asked(tokenizer: Tokenizer) -> None:
    split = tagged([["zoltan", "was", "in", "quixby"]], tokenizer)
    batch = split.batch([0])
    assert tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist())[:4] == ["[CLS]", "z", "##o", "##l"]
    assert batch["labels"][0].tolist() == [-100, 0, *[-100] * 5, 1, 2, 3, *[-100] * 5, -100]
    assert batch["word_ids"][0].tolist() == [-1, *[0] * 6, 1, 2, *[3] * 6, -1]


def test_words_that_the_tokenizer_drops_shift_no_tag(tokenizer: Tokenizer) -> None:
    split = tagged([["我", " ", "看", "", "\u200b", "很", "\u3000"]], tokenizer)
    assert asked(split, 0) == [(0, 0), (2, 2), (5, 5)]
    assert split.notes["words the tokenizer drops"] == 4
    assert split.notes["words cut off"] == 0


def test_words_that_are_cut_off_are_counted(tokenizer: Tokenizer) -> None:
    split = tagged([["the", "film", "zoltan", "was", " ", "long"], ["the"]], tokenizer, max_length=6)
    assert asked(split, 0) == [(0, 0), (1, 1), (2, 2)]  # of zoltan two letters are left
    assert split.notes["words cut off"] == 2
    assert split.notes["sentences cut to max_length"] == 1
    assert split.notes["words the tokenizer drops"] == 1


def test_byte_level_tokenizers_see_each_word_with_its_space() -> None:
    from tokenizers import Tokenizer as Backend
    from tokenizers import decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate([*letters, "Ġa", "Ġab", "<pad>"])}
    backend = Backend(models.BPE(vocabulary, [("Ġ", "a"), ("Ġa", "b")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    split = tagged([["ab", "ab"]], PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>"))
    assert split.batch([0])["input_ids"][0].tolist() == [vocabulary["Ġab"]] * 2


def test_an_example_of_row_minus_one_asks_nothing(tokenizer: Tokenizer, other: Tokenizer) -> None:
    batch = tagged([["the", "film"]], tokenizer, teacher=other).batch([-1])
    assert batch["labels"].tolist() == [[-100]]
    assert batch["attention_mask"].tolist() == batch["teacher_attention_mask"].tolist() == [[1]]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """A tokenizer that knows few words whole, and letters of other numbers; Chinese it does not know."""
    letters = [chr(code) for code in range(ord("z"), ord("a") - 1, -1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "zoltan", *letters, *(f"##{one}" for one in letters)]
    folder = tmp_path_factory.mktemp("other")
    BertTokenizer(vocab={word: at for at, word in enumerate(vocabulary)}, model_max_length=24).save_pretrained(folder)
    return load_tokenizer(str(folder))


def test_a_teachers_place_is_where_the_same_word_begins_in_its_own_tokens(
    tokenizer: Tokenizer, other: Tokenizer
) -> None:
    words = [["the", "zoltan", " ", "film"], ["was"]]
    batch = tagged(words, tokenizer, teacher=other).batch([0, 1])
    for row, sentence in enumerate(words):
        theirs = other.convert_ids_to_tokens(batch["teacher_input_ids"][row].tolist())
        for label, place in zip(batch["labels"][row].tolist(), batch["teacher_places"][row].tolist(), strict=True):
            if label >= 0:
                assert theirs[place][0] == sentence[label][0]
                assert not theirs[place].startswith("##")
    assert batch["teacher_attention_mask"].sum(1).tolist() == [3 + 1 + 4 + 2, 3 + 2]


def test_a_word_the_teacher_cannot_see_asks_nothing_and_is_counted(tokenizer: Tokenizer, other: Tokenizer) -> None:
    split = tagged([["director"] * 4], tokenizer, teacher=other)  # 8 letters each, and room for 22
    assert asked(split, 0) == [(0, 0), (1, 1), (2, 2)]
    assert split.notes["words the teacher cannot see"] == 1


def test_labels_are_found_in_the_training_sentences_or_given(toy_sentence_files: Path, toy_model: Path) -> None:
    data = toy_tagging(toy_model, toy_sentence_files)
    data.setup("fit")
    assert data.labels == ["O", "B-PERSON", "I-PERSON", "B-PLACE", "I-PLACE"]
    words, tags = toy_sentences(3, seed=0)[2]
    assert data.example("train", 2) == {"tokens": words, "tags": tags}
    given = toy_tagging(toy_model, toy_sentence_files, labels=["B-PLACE", "I-PLACE", "O"])
    with pytest.raises(ValueError, match="train has tags that are not among the classes: B-PERSON, I-PERSON"):
        given.setup("fit")


def test_the_report_tells_what_was_read_repaired_and_cut(
    toy_sentence_files: Path, toy_model: Path, tmp_path: Path
) -> None:
    rows = [{"tokens": words, "ner": tags} for words, tags in toy_sentences(40)]
    rows[0]["ner"] = ["I-PLACE", *rows[0]["ner"][1:]]
    rows[1]["ner"] = rows[1]["ner"][1:]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = toy_tagging(toy_model, toy_sentence_files, train=str(tmp_path / "train.jsonl"), max_length=12)
    data.setup("fit")
    said = data.report["train file"]
    assert said["rows"] == 39
    assert said["broken rows left out"] == 1
    assert said["faulty tags"] == 1
    assert said["repairs (row, word)"]["I without B"] == {"tags": 1, "first": [(1, 1)]}
    assert data.report["train"]["words cut off"] > 0
    assert data.report["train"]["tags"]["B-PLACE"] > 0


def test_made_splits_share_no_sentence_and_are_the_same_again(toy_sentence_files: Path, toy_model: Path) -> None:
    found = []
    for _ in range(2):
        data = toy_tagging(toy_model, toy_sentence_files, validation=None, test=None)
        data.setup("fit")
        data.setup("test")
        found.append({name: list(split.texts) for name, split in data.splits.items()})
    assert found[0] == found[1]
    assert not set(found[0]["train"]) & set(found[0]["validation"] + found[0]["test"])
    assert 20 < len(found[0]["validation"]) < 45


def test_groups_are_of_the_sentences_that_training_was_dealt(toy_model: Path, tmp_path: Path) -> None:
    lines = [{"tokens": [f"film{n}", "music"], "ner": ["B-FILM", "O"], "who": f"author {n % 3}"} for n in range(30)]
    lines.insert(4, {"tokens": [], "ner": [], "who": "nobody"})
    file = tmp_path / "notes.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = toy_tagging(toy_model, tmp_path, train=str(file), validation=None, test=None)
    data.setup("fit")
    expected = [int(words[0].removeprefix("film")) % 3 for words in data.splits["train"].sentences]
    assert data.groups("who").tolist() == expected
    assert len(expected) < 30
    with pytest.raises(ValueError, match="no column 'whom'"):
        data.groups("whom")


def test_other_tags_are_other_examples(tokenizer: Tokenizer) -> None:
    sentences = Sentences([["the", "film"]], [], [None], [[]])
    one, other = (tokenise(sentences, [np.asarray(tags)], tokenizer, 16) for tags in ([0, 1], [1, 0]))
    assert one.fingerprint != other.fingerprint


def test_kinds_that_training_never_saw_ask_nothing_and_stay_in_the_truth(
    toy_sentence_files: Path, toy_model: Path, tmp_path: Path
) -> None:
    rows = [{"tokens": ["the", "city", "quixby"], "ner": ["B-FILM", "B-PLACE", "I-FILM"]}]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = toy_tagging(toy_model, toy_sentence_files, test=str(tmp_path / "test.jsonl"))
    data.setup("test")
    assert asked(data.splits["test"], 0) == [(3, 1)]
    assert data.splits["test"].tags == [["B-FILM", "B-PLACE", "B-FILM"]]
    assert data.report["test tags that are no class"] == {"B-FILM": 2}
    (tmp_path / "test.jsonl").write_text(json.dumps({"tokens": ["the"], "ner": ["B-FILM"]}))
    with pytest.raises(ValueError, match="test has tags that are not among the classes: B-FILM"):
        toy_tagging(toy_model, toy_sentence_files, test=str(tmp_path / "test.jsonl")).setup("test")
