"""Documents are cut and packed so that every token is asked for once and none reaches into another document."""

from pathlib import Path

import numpy as np
import pytest

from slimlit.data.pieces import Around, Piece, masked_pieces, next_word_pieces, pack
from slimlit.models.tokenizers import Tokenizer, load_tokenizer

TEXTS = ["the film was joyful", "a story 精彩 of the city and the house in the evening", "x"]


@pytest.fixture(scope="module")
def tokenizer(toy_model: Path) -> Tokenizer:
    return load_tokenizer(str(toy_model))


def of(pieces: list[Piece], document: int) -> list[Piece]:
    return [piece for piece in pieces if piece.document == document]


def test_what_a_tokenizer_puts_around_a_text_is_no_padding_that_its_file_asks_for(toy_model: Path) -> None:
    tokenizer = load_tokenizer(str(toy_model))
    tokenizer.backend_tokenizer.enable_padding(length=16)
    assert Around.of(tokenizer) == Around([2], [3])


@pytest.mark.parametrize("max_length", [3, 5, 64])
def test_every_token_of_a_document_and_its_end_are_labels_once(tokenizer: Tokenizer, max_length: int) -> None:
    pieces = list(next_word_pieces(TEXTS, tokenizer, max_length))
    for number, text in enumerate(TEXTS):
        whole = tokenizer(text).input_ids  # between what the tokenizer puts around a text
        read = np.concatenate([piece.input_ids for piece in of(pieces, number)])
        said = np.concatenate([piece.labels for piece in of(pieces, number) if piece.labels is not None])
        assert read.tolist() == whole[:-1]
        assert said.tolist() == whole[1:]
        assert all(len(piece.input_ids) <= max_length for piece in of(pieces, number))


@pytest.mark.parametrize("max_length", [4, 64])
def test_the_bytes_asked_for_are_the_texts_own(tokenizer: Tokenizer, max_length: int) -> None:
    pieces = list(next_word_pieces(TEXTS, tokenizer, max_length))
    for number, text in enumerate(TEXTS):
        assert sum(piece.num_bytes for piece in of(pieces, number)) == len(text.encode())


def test_without_a_token_before_the_text_its_first_is_read_and_never_asked_for(tmp_path: Path) -> None:
    from slimlit.models.toy import write_toy_decoder

    write_toy_decoder(tmp_path)
    tokenizer = load_tokenizer(str(tmp_path))
    text = "the film 精彩 was joyful"
    (piece,) = next_word_pieces([text], tokenizer, 64)
    ids = tokenizer(text).input_ids
    assert piece.labels is not None
    assert piece.input_ids.tolist() == ids
    assert piece.labels.tolist() == [*ids[1:], tokenizer.eos_token_id]
    assert piece.num_bytes == len(text.encode()) - len(tokenizer.decode(ids[:1]).encode())


def test_words_begin_where_the_tokenizer_begins_them(tokenizer: Tokenizer) -> None:
    (piece,) = masked_pieces(["the xyz was"], tokenizer, 64, True, None)
    assert piece.begins is not None
    assert tokenizer.convert_ids_to_tokens(piece.input_ids) == ["[CLS]", "the", "x", "##y", "##z", "was", "[SEP]"]
    assert piece.begins.tolist() == [-1, 1, 1, 0, 0, 1, -1]
    (single,) = masked_pieces(["the xyz was"], tokenizer, 64, False, None)
    assert single.begins is not None
    assert single.begins.tolist() == [-1, 1, 1, 1, 1, 1, -1]


def test_chinese_words_are_rjiebas_where_asked_and_characters_elsewhere(tokenizer: Tokenizer) -> None:
    pytest.importorskip("rjieba")
    (characters,) = masked_pieces(["这部电影精彩"], tokenizer, 64, True, None)
    (words,) = masked_pieces(["这部电影精彩"], tokenizer, 64, True, "zh")
    assert characters.begins is not None
    assert words.begins is not None
    assert characters.begins.tolist() == [-1, 1, 1, 1, 1, 1, 1, -1]
    assert words.begins.tolist()[3:] == [1, 0, 1, 0, -1]  # 电影 and 精彩


def test_packed_rows_are_full_and_cut_no_piece() -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 33, 500).tolist()
    rows = pack(lengths, 64)
    assert sorted(number for row in rows for number in row) == list(range(500))
    assert max(sum(lengths[number] for number in row) for row in rows) <= 64
    assert len(rows) <= 1.02 * sum(lengths) / 64 + 1
    assert rows == pack(lengths, 64)


def test_packing_two_million_tokens_takes_no_time_to_speak_of() -> None:
    lengths = np.random.default_rng(0).integers(1, 513, 8000).tolist()
    import time

    started = time.process_time()
    pack(lengths, 512)
    assert time.process_time() - started < 1.0
