"""A cut tokenizer reads its own texts as before, and can read all others."""

import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from slimlit.compress.vocabulary import fewer_words, keep_words
from slimlit.data.toy import toy_reviews
from slimlit.models.tokenizers import load_tokenizer

TEXTS = [review.text for review in toy_reviews(120)]
SOME, OTHERS = TEXTS[:20], TEXTS[20:]
SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]


def trained(kind: str) -> PreTrainedTokenizerFast:
    made = {
        "wordpiece": lambda: (models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)),
        "bpe": lambda: (models.BPE(), trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIAL, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())),
        "unigram": lambda: (models.Unigram(), trainers.UnigramTrainer(vocab_size=140, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False)),
    }  # fmt: skip
    model, trainer = made[kind]()
    backend = Tokenizer(model)
    backend.pre_tokenizer = {"wordpiece": pre_tokenizers.BertPreTokenizer(), "bpe": pre_tokenizers.ByteLevel(add_prefix_space=False), "unigram": pre_tokenizers.Metaspace()}[kind]  # fmt: skip
    if kind == "wordpiece":
        backend.normalizer = normalizers.Lowercase()
    backend.train_from_iterator(TEXTS, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", backend.token_to_id("[CLS]")), ("[SEP]", backend.token_to_id("[SEP]"))],
    )  # fmt: skip
    names = dict(zip(("unk_token", "cls_token", "sep_token", "pad_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


@pytest.fixture(params=["wordpiece", "bpe", "unigram"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    return trained(request.param)


def used(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> set[int]:
    return {number for row in tokenizer(texts)["input_ids"] for number in row}


def test_its_own_texts_are_cut_as_before_and_numbers_map_back(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    kept = keep_words(tokenizer, used(tokenizer, SOME))
    small = fewer_words(tokenizer, kept)
    assert len(small) == len(kept) < len(tokenizer)
    small.save_pretrained(tmp_path)
    for one in (small, load_tokenizer(str(tmp_path))):
        back = [[kept[number] for number in row] for row in one(SOME)["input_ids"]]
        assert back == tokenizer(SOME)["input_ids"]
        pair = one(SOME[0], SOME[1])["input_ids"]
        assert [kept[number] for number in pair] == tokenizer(SOME[0], SOME[1])["input_ids"]


def test_every_piece_has_a_name_it_had(tokenizer: PreTrainedTokenizerFast) -> None:
    kept = keep_words(tokenizer, used(tokenizer, SOME))
    small = fewer_words(tokenizer, kept)
    assert small.convert_ids_to_tokens(list(range(len(small)))) == tokenizer.convert_ids_to_tokens(kept)
    for name in ("unk_token_id", "cls_token_id", "sep_token_id", "pad_token_id"):
        assert kept[getattr(small, name)] == getattr(tokenizer, name)


def test_no_text_becomes_unreadable(tokenizer: PreTrainedTokenizerFast) -> None:
    small = fewer_words(tokenizer, keep_words(tokenizer, []))
    before, after = used(tokenizer, OTHERS), used(small, OTHERS)
    assert tokenizer.unk_token_id not in before
    assert small.unk_token_id not in after


def test_any_set_of_merges_keeps_its_words_whole() -> None:
    tokenizer = trained("bpe")
    draw = random.Random(0)
    for _ in range(10):
        some = draw.sample(TEXTS, 3)
        kept = keep_words(tokenizer, used(tokenizer, some))
        small = fewer_words(tokenizer, kept)
        assert [[kept[number] for number in row] for row in small(some)["input_ids"]] == tokenizer(some)["input_ids"]


def test_the_first_words_keep_their_numbers_where_asked() -> None:
    tokenizer = trained("wordpiece")
    assert keep_words(tokenizer, [], first=30)[:30] == list(range(30))


def test_a_special_token_that_is_gone_is_told() -> None:
    tokenizer = trained("bpe")
    with pytest.raises(ValueError, match="special token"):
        fewer_words(tokenizer, list(range(3, 300)))
