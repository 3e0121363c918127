"""``write_shards``: texts into token shards, whole or not at all, and after a kill on from the last full shard."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from slimlit.privacy.ledger import Fingerprint, machine_key
from slimlit.privacy.origins import ORIGINS, carry_origins
from slimlit.runs import write
from slimlit.text.cache import cache_folder
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.shards import FORMAT, MANIFEST, NUM_BYTES, OFFSETS, TEXTS, Shards, hash_file

SHARD_TOKENS = 2**26
_BATCH = 1_000_000  # characters encoded at once
Record = dict[str, Any]


def write_shards(
    folder: str | Path,
    texts: Iterable[str],
    encoder: Encoder,
    *,
    begin: int | None = None,
    end: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
    source: str | None = None,
) -> Shards:
    """Encode texts, one document each, and write their tokens end to end.

    Files: ``tokens-00000.npy`` and on (little-endian ``uint16``, or ``uint32`` for more than 65,536 tokens),
    ``offsets.npy`` (``int64``, where each document begins), ``num_bytes.npy`` (``uint32``, its length as UTF-8),
    ``manifest.json`` with counts and the SHA-256 of each file, ``texts.json`` with what the privacy ledger knows the texts
    by, and where a source is named ``origins/``.

    Guarantees:
        - the folder is there whole or not at all;
        - a run that was killed goes on after its last full shard when called again with the same texts, and ends in the
          same bytes as one that was not;
        - texts that changed since are refused;
        - the same texts, tokenizer and settings give the same bytes, but for ``texts.json``, whose key is the machine's;
        - the privacy ledger counts training on the shards together with training on the texts.

    Args:
        folder: where to write; it must not exist.
        texts: read once, in order, and not kept.
        encoder: the tokenizer.
        begin: a token put before each document, such as ``[CLS]``.
        end: a token put after each, such as ``<|endoftext|>``.
        shard_tokens: a shard is closed before the document that would make it longer.
        source: the file or folder the texts came from, for the privacy ledger.

    Raises:
        ValueError: the folder exists, a token is not in the vocabulary, or an unfinished folder is of other texts.
    """
    folder = Path(folder)
    if folder.exists():
        raise ValueError(f"{folder} exists\nremove it, or name another folder for the shards")
    if any(token is not None and not 0 <= token < encoder.vocab_size for token in (begin, end)):
        raise ValueError(f"begin is {begin} and end {end}; expected tokens from 0 to {encoder.vocab_size - 1}, or None")
    if shard_tokens < 1:
        raise ValueError(f"shard_tokens is {shard_tokens}; expected at least 1")
    head = {
        "format": FORMAT, "tokenizer": encoder.fingerprint, "vocab_size": encoder.vocab_size,
        "dtype": "<u2" if encoder.vocab_size <= 2**16 else "<u4", "begin": begin, "end": end, "shard_tokens": shard_tokens,
    }  # fmt: skip
    writer = _Writer(folder.with_name(folder.name + ".unfinished"), head)
    stream = iter(texts)
    writer.skip(stream)
    for batch in _batches(stream):
        encoded = encoder.encode(batch)
        for text, ids in zip(batch, encoded.arrays(), strict=True):
            writer.add(text, ids)
    num_texts = writer.finish()
    if source is not None:
        carry_origins(writer.folder, [source], [], num_texts)
    os.replace(writer.folder, folder)
    return Shards(folder)


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size > _BATCH or len(batch) >= 10_000:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Writer:
    """The open shard, and the records of those that are full, in a folder that is not finished."""

    def __init__(self, folder: Path, head: Record) -> None:
        self.folder = folder
        self.head = head
        self.fingerprint = Fingerprint(machine_key(cache_folder()))
        folder.mkdir(parents=True, exist_ok=True)
        started = folder / "settings.json"
        if started.is_file() and json.loads(started.read_text(encoding="utf-8")) != head:
            raise ValueError(f"{folder} is of another tokenizer or other settings\nremove it to write anew")
        write(started, json.dumps(head))
        self.records: list[Record] = []
        while (path := folder / f"record-{len(self.records):05}.json").is_file():
            self.records.append(json.loads(path.read_text(encoding="utf-8")))
        self._border = {
            name: np.asarray([] if head[name] is None else [head[name]], np.uint32) for name in ("begin", "end")
        }
        self._clear()

    def skip(self, texts: Iterator[str]) -> None:
        """Pass the texts of full shards, which must be those that are in them."""
        for record in self.records:
            digest = hashlib.sha256()
            passed = 0
            for text in islice(texts, record["documents"]):
                digest.update(_framed(text.encode("utf-8")))
                self.fingerprint.add(text)
                passed += 1
            if (passed, digest.hexdigest()) != (record["documents"], record["texts"]):
                raise ValueError(
                    f"the texts are not those that {self.folder} was begun with\nremove it to write anew, or give the same texts"
                )

    def add(self, text: str, ids: Any) -> None:
        """One document."""
        whole = np.concatenate([self._border["begin"], ids, self._border["end"]])
        if self._parts and self._num_tokens + len(whole) > self.head["shard_tokens"]:
            self._close()
        encoded = text.encode("utf-8")
        self._digest.update(_framed(encoded))
        self.fingerprint.add(text)
        self._parts.append(whole.astype(self.head["dtype"]))
        self._num_bytes.append(len(encoded))
        self._num_tokens += len(whole)
        self._num_characters += len(text)

    def finish(self) -> int:
        """Close the last shard and write what is of all; how many texts they were."""
        if self._parts:
            self._close()
        lengths, sizes = [np.zeros(0, np.int64)], [np.zeros(0, np.uint32)]
        for number in range(len(self.records)):
            with np.load(self.folder / f"documents-{number:05}.npz") as columns:
                lengths.append(columns["lengths"])
                sizes.append(columns["num_bytes"])
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype("<i8")
        np.save(self.folder / OFFSETS, offsets)
        np.save(self.folder / NUM_BYTES, np.concatenate(sizes).astype("<u4"))
        totals = {
            name: sum(one[name] for one in self.records) for name in ("documents", "tokens", "bytes", "characters")
        }
        files = {name: hash_file(self.folder / name) for name in (OFFSETS, NUM_BYTES)}
        manifest = self.head | totals | {"shards": self.records, "files": files}
        write(self.folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
        write(self.folder / TEXTS, json.dumps({"fingerprint": str(self.fingerprint)}) + "\n")
        kept = {MANIFEST, TEXTS, ORIGINS, *files, *(record["file"] for record in self.records)}
        # records first, from the last: a kill between leaves shards to go on from
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name, reverse=True):
            if path.name.startswith("record-"):
                path.unlink()
        for path in self.folder.iterdir():
            if path.name not in kept:
                path.unlink()
        return int(totals["documents"])

    def _close(self) -> None:
        """Write the open shard; its record comes last, so that a shard without one is written again."""
        number = len(self.records)
        file = f"tokens-{number:05}.npy"
        np.save(self.folder / file, np.concatenate(self._parts))
        lengths = np.fromiter(map(len, self._parts), np.int64, len(self._parts))
        sizes = np.asarray(self._num_bytes, np.uint32)
        np.savez(self.folder / f"documents-{number:05}.npz", lengths=lengths, num_bytes=sizes)
        record = {
            "file": file, "documents": len(lengths), "tokens": self._num_tokens, "bytes": int(sizes.sum(dtype=np.int64)),
            "characters": self._num_characters, "texts": self._digest.hexdigest(),
            "sha256": hash_file(self.folder / file),
        }  # fmt: skip
        write(self.folder / f"record-{number:05}.json", json.dumps(record))
        self.records.append(record)
        self._clear()

    def _clear(self) -> None:
        self._parts: list[Any] = []
        self._num_bytes: list[int] = []
        self._num_tokens = self._num_characters = 0
        self._digest = hashlib.sha256()


def _framed(encoded: bytes) -> bytes:
    return len(encoded).to_bytes(8, "little") + encoded


def remove_unfinished(folder: str | Path) -> None:
    """Remove what a killed :func:`write_shards` left of ``folder``."""
    folder = Path(folder)
    shutil.rmtree(folder.with_name(folder.name + ".unfinished"), ignore_errors=True)
