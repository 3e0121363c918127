"""Tokens join to words as the text spells them, and weights are summed over them."""

import string

import pytest
import torch
from tokenizers import Encoding, Tokenizer, models, normalizers, pre_tokenizers, processors

from slimlit.explain.words import (
    find_words,
    map_between_words,
    map_by_word,
    sum_by_word,
    words_of_ids,
    words_of_sentence,
    words_of_tokens,
)

ENGLISH = ["the", "film", "is", "not", "wonder", "##ful", ".", "'", ",", "<", ">"]
CHINESE = "这家酒店不是很好,2米"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    vocabulary = ["[UNK]", "[CLS]", "[SEP]", *ENGLISH, *letters, *sorted(set(CHINESE) - set(ENGLISH))]
    made = Tokenizer(models.WordPiece({token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = [("[CLS]", 1), ("[SEP]", 2)]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", special)
    return made


def byte_level(text: str) -> Encoding:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made.encode(text)


def test_sub_words_join_and_keep_the_capitals_and_accents_of_the_text(tokenizer: Tokenizer) -> None:
    text = "The Wonderful café."
    words = find_words(tokenizer.encode(text), [text])
    assert [word.text for word in words] == ["[CLS]", "The", "Wonderful", "café", ".", "[SEP]"]
    assert [word.is_special for word in words] == [True, False, False, False, False, True]
    assert [word.is_glued for word in words] == [False, False, False, False, True, False]


def test_every_token_belongs_to_one_word_in_order(tokenizer: Tokenizer) -> None:
    for text in ("the wonderful film, isn't it", CHINESE, "a", ""):
        encoding = tokenizer.encode(text)
        tokens = [token for word in find_words(encoding, [text]) for token in word.tokens]
        assert tokens == list(range(len(encoding.ids)))


def test_chinese_is_taken_by_character(tokenizer: Tokenizer) -> None:
    words = find_words(tokenizer.encode(CHINESE), [CHINESE])
    assert [word.text for word in words[1:-1]] == list(CHINESE)
    assert all(word.is_glued for word in words[2:-1])


def test_the_bytes_of_one_character_make_one_word() -> None:
    text = "不好 ok"
    words = find_words(byte_level(text), [text])
    assert [word.text for word in words] == ["不", "好", "ok"]
    assert [word.is_glued for word in words] == [False, True, False]
    assert [len(word.tokens) for word in words] == [3, 3, 3]


def test_both_texts_of_a_pair_are_spelled(tokenizer: Tokenizer) -> None:
    words = find_words(tokenizer.encode("the film", "wonderful"), ["the film", "wonderful"])
    assert [word.text for word in words] == ["[CLS]", "the", "film", "[SEP]", "wonderful", "[SEP]"]


def test_a_word_weighs_what_its_tokens_weigh(tokenizer: Tokenizer) -> None:
    text = "wonderful film"
    words = find_words(tokenizer.encode(text), [text])
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.25, 0.15]])
    assert torch.allclose(sum_by_word(weights, words), torch.tensor([[0.1, 0.5, 0.25, 0.15]]))


def test_a_map_over_words_is_the_mean_over_rows_of_sums_over_columns(tokenizer: Tokenizer) -> None:
    text = "wonderful film"
    words = find_words(tokenizer.encode(text), [text])
    attention = torch.softmax(torch.randn(3, 5, 5, dtype=torch.float64), dim=-1)
    by_word = map_by_word(attention, words)
    groups = [[0], [1, 2], [3], [4]]
    for head in range(3):
        for row, rows in enumerate(groups):
            for column, columns in enumerate(groups):
                expected = sum(attention[head, i, j] for i in rows for j in columns) / len(rows)
                assert torch.isclose(by_word[head, row, column], torch.as_tensor(expected))
    assert torch.allclose(by_word.sum(dim=-1), torch.ones(3, 4, dtype=torch.float64))


def test_without_the_text_each_token_stands_for_itself() -> None:
    assert [word.text for word in words_of_tokens(["a", "##b"])] == ["a", "##b"]


def test_tokens_that_are_one_character_only_together_are_one_word() -> None:
    text = " 好 a\nb"
    ids = list(text.encode())
    words = words_of_ids(ids, lambda some: bytes(some).decode("utf-8", "replace"), {ord("b")}, first=5)
    assert [word.text for word in words] == ["好", "a", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}", "b"]
    assert [word.tokens for word in words] == [(5, 6, 7, 8), (9, 10), (11,), (12,)]
    assert [word.is_glued for word in words] == [False, False, False, True]
    assert [word.is_special for word in words] == [False, False, False, True]


def test_words_given_apart_are_set_as_their_text_has_them() -> None:
    tokens, numbers = ["[CLS]", "ber", "##lin", ",", "好", "吧", "[SEP]"], [-1, 0, 0, 1, 2, 3, -1]
    sentence = ["Berlin", ",", "好", "吧"]
    plain = words_of_sentence(numbers, tokens, sentence)
    assert [word.text for word in plain] == ["[CLS]", *sentence, "[SEP]"]
    assert plain[1].tokens == (1, 2)
    assert [word.is_glued for word in plain[1:5]] == [False, False, False, True]
    placed = words_of_sentence(numbers, tokens, sentence, [(0, 6), (6, 7), (8, 9), (9, 10)])
    assert [word.is_glued for word in placed[1:5]] == [False, True, False, True]


def test_words_that_read_and_words_that_are_read_may_be_others() -> None:
    attention = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]])
    rows, columns = words_of_tokens(["a", "b"]), words_of_tokens(["x", "y", "z"])
    torch.testing.assert_close(map_between_words(attention, rows, columns), attention)
