"""Shards give back every token where it was, are written whole or not at all, and are dealt out exactly."""

import json
import os
import pickle
import shutil
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from slimlit.privacy.ledger import Ledger, Stage, fingerprint, machine_key
from slimlit.privacy.origins import origins_of
from slimlit.text.cache import cache_folder
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.packing import Packed
from slimlit.text.tokens.shard_writing import remove_unfinished, write_shards
from slimlit.text.tokens.shards import Shards
from slimlit.text.tokens.tokenizer_training import train_tokenizer
from tests.text.test_tokenizer_training import CHINESE, TEXTS

DOCUMENTS = [*TEXTS[:40], "", *CHINESE[:9], "é", *TEXTS[40:60]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    folder = tmp_path_factory.mktemp("tokenizer") / "made"
    train_tokenizer(TEXTS + CHINESE, "bpe", 300, folder)
    return Encoder(folder)


@pytest.fixture(scope="module")
def expected(encoder: Encoder) -> list[list[int]]:
    return [[*encoder.tokenizer.encode(text, add_special_tokens=False).ids, 0] for text in DOCUMENTS]


@pytest.fixture(scope="module")
def shards(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Shards:
    return write_shards(tmp_path_factory.mktemp("shards") / "train", iter(DOCUMENTS), encoder, end=0, shard_tokens=200)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name != "texts.json"
    }  # its key is the machine's


def test_every_document_and_any_stretch_of_the_stream_is_what_the_tokenizer_gave(
    shards: Shards, expected: list[list[int]]
) -> None:
    stream = list(chain.from_iterable(expected))
    assert (len(shards), shards.num_tokens) == (len(DOCUMENTS), len(stream))
    assert [shards.document(number).tolist() for number in range(len(shards))] == expected
    assert shards.document(-1).tolist() == expected[-1]
    assert len(shards.manifest["shards"]) > 3
    draw = np.random.default_rng(0)
    for start, end in np.sort(draw.integers(0, len(stream) + 1, (200, 2)), axis=1).tolist():
        assert shards.tokens(start, end).tolist() == stream[start:end]
    assert shards.tokens(len(stream), len(stream)).tolist() == []
    with pytest.raises(IndexError):
        shards.document(len(shards))
    with pytest.raises(IndexError):
        shards.tokens(0, len(stream) + 1)


def test_the_manifest_counts_what_bits_per_byte_need(shards: Shards) -> None:
    sizes = [len(text.encode()) for text in DOCUMENTS]
    assert shards.num_bytes.tolist() == sizes
    assert (shards.manifest["bytes"], shards.manifest["characters"]) == (sum(sizes), sum(map(len, DOCUMENTS)))
    assert (shards.manifest["dtype"], shards.document(0).dtype) == ("<u2", np.uint16)


def test_a_stretch_within_one_shard_is_a_view_of_the_file(shards: Shards) -> None:
    assert shards.tokens(3, 20).base is not None
    assert not shards.tokens(3, 20).flags.writeable


def test_no_shard_is_longer_than_asked_but_for_one_long_document(encoder: Encoder, tmp_path: Path) -> None:
    texts = ["a b c"] * 10 + ["river " * 300] + ["a b c"] * 10
    made = write_shards(tmp_path / "made", texts, encoder, shard_tokens=60)
    sizes = [shard["tokens"] for shard in made.manifest["shards"]]
    assert sorted(sizes)[-2] <= 60 < max(sizes)


def test_large_vocabularies_are_written_as_uint32(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "vocab_size", 70_000)
    made = write_shards(tmp_path / "made", DOCUMENTS, encoder, begin=69_999)
    assert made.document(1)[0] == 69_999
    assert made.document(1).dtype == np.uint32


def test_the_ledger_knows_shards_by_the_texts_in_them_also_after_a_kill(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlit.text.tokens.shard_writing._BATCH", 1)

    def killed() -> Iterator[str]:
        yield from DOCUMENTS[:41]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path / "made", killed(), encoder, shard_tokens=200)
    made = write_shards(tmp_path / "made", DOCUMENTS, encoder, shard_tokens=200, source="letters.txt")
    assert made.text_fingerprint == fingerprint(DOCUMENTS, None, machine_key(cache_folder()))
    (origin,) = origins_of(made.folder)
    assert json.loads(origin.read_text())["rows"]["source"] == "letters.txt"
    (made.folder / "texts.json").unlink()  # as older shards: together with every data set
    unknown = Stage("a", "training", "shards", "train", made.text_fingerprint, 9)
    known = Stage("b", "training", "texts", "train", fingerprint(["x"], None, b"k" * 32), 9)
    assert len(Ledger([known, unknown]).costs()) == 1


def test_no_documents_make_shards_too(encoder: Encoder, tmp_path: Path) -> None:
    made = write_shards(tmp_path / "made", [], encoder)
    assert (len(made), made.num_tokens, len(Packed(made, 8)), made.tokens(0, 0).tolist()) == (0, 0, 0, [])


@pytest.mark.parametrize("killed_after", [0, 1, 13, 41, 70])
def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(
    killed_after: int, shards: Shards, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlit.text.tokens.shard_writing._BATCH", 1)

    def killed() -> Iterator[str]:
        yield from DOCUMENTS[:killed_after]
        raise KeyboardInterrupt

    folder = tmp_path / "train"
    with pytest.raises(KeyboardInterrupt):
        write_shards(folder, killed(), encoder, end=0, shard_tokens=200)
    assert not folder.exists()
    with pytest.raises(ValueError, match="not finished"):
        Shards(folder)
    seen: list[int] = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: seen.append(len(texts)) or encode(texts))
    write_shards(folder, iter(DOCUMENTS), encoder, end=0, shard_tokens=200)
    assert content(folder) == content(shards.folder)
    if killed_after == 70:
        assert sum(seen) < 30  # only what was not in a full shard


def test_texts_or_settings_that_changed_since_the_kill_are_refused(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slimlit.text.tokens.shard_writing._BATCH", 1)

    def killed() -> Iterator[str]:
        yield from DOCUMENTS
        raise KeyboardInterrupt

    folder = tmp_path / "train"
    with pytest.raises(KeyboardInterrupt):
        write_shards(folder, killed(), encoder, shard_tokens=200)
    with pytest.raises(ValueError, match="the texts are not those"):
        write_shards(folder, ["another", *DOCUMENTS[1:]], encoder, shard_tokens=200)
    with pytest.raises(ValueError, match="other settings"):
        write_shards(folder, DOCUMENTS, encoder, shard_tokens=300)
    remove_unfinished(folder)
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_foreign_shards_are_refused(shards: Shards, encoder: Encoder, tmp_path: Path) -> None:
    shards.verify()
    assert Shards(shards.folder, encoder.fingerprint).fingerprint == shards.fingerprint
    with pytest.raises(ValueError, match="of another tokenizer"):
        Shards(shards.folder, "0" * 64)
    with pytest.raises(ValueError, match=r"expected manifest\.json"):
        Shards(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(shards.folder, copy)
    file = copy / "tokens-00001.npy"
    whole = file.read_bytes()
    file.write_bytes(whole[:-2] + b"zz")
    with pytest.raises(ValueError, match=r"tokens-00001\.npy is damaged"):
        Shards(copy).verify()
    for name in ("tokens-00001.npy", "offsets.npy"):
        os.truncate(copy / name, 150)
        with pytest.raises(ValueError, match=f"{name} has 150 bytes"):
            Shards(copy)
        (copy / name).write_bytes((shards.folder / name).read_bytes())
    file.unlink()
    with pytest.raises(ValueError, match="cannot be used"):
        Shards(copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    for text in ("{}", "[]", "{", json.dumps(manifest | {"format": 99})):
        (copy / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match="cannot be used"):
            Shards(copy)


def test_what_cannot_be_written_is_refused_before_anything_is(encoder: Encoder, shards: Shards, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exists"):
        write_shards(shards.folder, DOCUMENTS, encoder)
    with pytest.raises(ValueError, match="expected tokens from 0 to 299"):
        write_shards(tmp_path / "made", DOCUMENTS, encoder, end=300)
    with pytest.raises(ValueError, match="at least 1"):
        write_shards(tmp_path / "made", DOCUMENTS, encoder, shard_tokens=0)
    assert list(tmp_path.iterdir()) == []


def test_shards_travel_to_a_worker_as_their_path(shards: Shards, expected: list[list[int]]) -> None:
    shards.document(3)
    sent = pickle.dumps(shards)
    assert len(sent) < 500
    assert pickle.loads(sent).document(3).tolist() == expected[3]


def test_opening_takes_milliseconds(shards: Shards) -> None:
    best = []
    for _ in range(5):
        start = time.perf_counter()
        Shards(shards.folder).tokens(0, 10)
        best.append(time.perf_counter() - start)
    assert min(best) < 0.05


@pytest.mark.parametrize("max_length", [1, 7, 64, 10_000])
def test_rows_end_to_end_are_the_stream_and_their_borders_the_documents(
    max_length: int, shards: Shards, expected: list[list[int]]
) -> None:
    packed = Packed(shards, max_length)
    owner = np.repeat(np.arange(len(expected)), [len(one) for one in expected])
    place = np.concatenate([np.arange(len(one)) for one in expected])
    rows = [packed[number] for number in range(len(packed))]
    assert np.concatenate([row.tokens for row in rows]).tolist() == list(chain.from_iterable(expected))
    assert all(len(row.tokens) == max_length for row in rows[:-1])
    for number, row in enumerate(rows):
        here = slice(number * max_length, number * max_length + len(row.tokens))
        _, segments = np.unique(owner[here], return_inverse=True)
        assert row.segments().tolist() == segments.tolist()
        assert (row.first_document, row.into) == (owner[here][0], place[here][0])
        in_document = place[here] - np.where(segments == 0, row.into, 0)
        assert row.position_ids().tolist() == in_document.tolist()
    with pytest.raises(IndexError):
        packed[len(packed)]


def test_documents_without_tokens_have_no_borders(encoder: Encoder, tmp_path: Path) -> None:
    made = write_shards(tmp_path / "made", ["", "42", "", "", "7", ""], encoder)
    (row,) = (Packed(made, 10)[number] for number in range(1))
    assert (row.borders.tolist(), row.first_document, len(made.document(2))) == ([0, 2, 3], 1, 0)
