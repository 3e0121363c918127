"""Rows of token shards are the stream cut in order; no label reaches into another document."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from slimlit.data import LanguageModelling, Masking
from slimlit.data.shard_rows import ShardRows
from slimlit.data.toy import toy_reviews
from slimlit.models.tokenizers import load_tokenizer
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.shard_writing import write_shards
from tests.tasks.language_models import fit, fresh, make

TEXTS = [review.text for review in toy_reviews(60)]


@pytest.fixture(scope="module")
def shards(toy_decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "all"
    encoder = Encoder(load_tokenizer(str(toy_decoder)).backend_tokenizer, fast=False)
    write_shards(folder, TEXTS, encoder, end=0, shard_tokens=200)
    write_shards(folder / "validation", TEXTS[:10], encoder, end=0)
    return folder


def test_rows_are_the_stream_and_labels_the_next_token_of_the_same_document(shards: Path, toy_decoder: Path) -> None:
    split = ShardRows(shards, load_tokenizer(str(toy_decoder)), 24)
    batch = split.batch(range(len(split)))
    real = batch["attention_mask"].bool()
    stream = split.shards.tokens(0, split.shards.num_tokens)
    assert batch["input_ids"][real].tolist() == stream.tolist()
    expected = np.append(stream[1:].astype(np.int64), -100)
    expected[split.shards.offsets[1:] - 1] = -100
    assert batch["labels"][real].tolist() == expected.tolist()
    sizes = np.diff(split.shards.offsets)
    shared = sum(len(text.encode()) * (size - 1) / size for text, size in zip(TEXTS, sizes, strict=True))
    assert split.bytes_of(range(len(split))) == pytest.approx(shared, abs=1)
    assert split.lengths.sum() == len(stream)


def test_a_model_learns_from_shards_and_validates_on_those_beside_them(
    shards: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    data = LanguageModelling(str(shards), str(toy_decoder), max_length=32, batch_size=8)
    trainer = fit(make(fresh("llama", toy_decoder)), data, tmp_path, max_epochs=1)
    assert "validation/bits_per_byte" in trainer.callback_metrics
    assert data.report["validation"]["documents"] == 10


def test_shards_of_another_tokenizer_and_masking_are_refused(shards: Path, toy_decoder: Path, toy_model: Path) -> None:
    with pytest.raises(ValueError, match="of another tokenizer"):
        LanguageModelling(str(shards), str(toy_model), max_length=32).setup("fit")
    with pytest.raises(ValueError, match="packed and ask for the next word"):
        LanguageModelling(str(shards), str(toy_decoder), max_length=32, packing=False).setup("fit")
    with pytest.raises(ValueError, match="packed and ask for the next word"):
        LanguageModelling(str(shards), str(toy_model), max_length=32, masking=Masking()).setup("fit")


def test_shards_of_a_split_may_have_any_name_and_a_split_without_any_is_told(
    shards: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    lone = tmp_path / "lone"
    shutil.copytree(shards, lone, ignore=shutil.ignore_patterns("validation"))
    data = LanguageModelling(str(lone), str(toy_decoder), validation=str(shards / "validation"), test=str(shards))
    data.max_length = 32
    data.setup("fit")
    data.setup("test")
    assert [data.report[name]["documents"] for name in ("train", "validation", "test")] == [60, 10, 60]
    with pytest.raises(
        ValueError, match="holds token shards, of which no validation texts can be made\nwrite shards into"
    ):
        LanguageModelling(str(lone), str(toy_decoder), max_length=32).setup("fit")
