"""``Shards``: the tokens of many documents in memory-mapped files, found in no time by their position."""

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = 1
MANIFEST = "manifest.json"
OFFSETS, NUM_BYTES = "offsets.npy", "num_bytes.npy"
TEXTS = "texts.json"
Tokens = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
Integers = npt.NDArray[np.int64]


class Shards:
    """The documents in a folder that :func:`slimlit.text.tokens.shard_writing.write_shards` wrote.

    Nothing is read before it is asked for; each answer is a view of the mapped file wherever it lies in one shard.

    Guarantees:
        - opening reads the manifest and looks at the sizes of files, whatever their number of tokens: milliseconds;
        - a folder that is damaged in size, of another format, or of another tokenizer is refused; :meth:`verify` reads
          and hashes every byte;
        - it can be sent to another process, and opens the files there anew.

    Args:
        folder: where the shards are.
        tokenizer: the fingerprint of the tokenizer they must be of (``Encoder.fingerprint``); any where None.

    Raises:
        ValueError: there are none, or they are not what is expected.
    """

    def __init__(self, folder: str | Path, tokenizer: str | None = None) -> None:
        self.folder = Path(folder)
        self.manifest = _read_manifest(self.folder)
        if tokenizer is not None and tokenizer != self.tokenizer:
            raise ValueError(
                f"the shards in {folder} are of another tokenizer ({self.tokenizer[:12]}, not {tokenizer[:12]})\n"
                "write them again, or load the tokenizer they were written with"
            )
        self.num_tokens: int = self.manifest["tokens"]
        self._files: list[str] = [shard["file"] for shard in self.manifest["shards"]]
        self._starts = np.asarray([0, *accumulate(shard["tokens"] for shard in self.manifest["shards"])])
        self._mapped: dict[str, Any] = {}

    def __reduce__(self) -> tuple[type["Shards"], tuple[Path]]:
        return type(self), (self.folder,)

    def __len__(self) -> int:
        return int(self.manifest["documents"])

    @property
    def tokenizer(self) -> str:
        """The fingerprint of the tokenizer."""
        return str(self.manifest["tokenizer"])

    @property
    def fingerprint(self) -> str:
        """The hash of all that is in the folder, by the hashes of its files."""
        return hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()

    @property
    def text_fingerprint(self) -> str:
        """What the privacy ledger knows the texts by (``slimlit.privacy.ledger.Fingerprint``).

        Shards that do not say it get one that can be compared with no other, and count together with every data set.
        """
        file = self.folder / TEXTS
        if not file.is_file():
            return f"shards {self.fingerprint[:16]}:"
        return str(json.loads(file.read_text(encoding="utf-8"))["fingerprint"])

    @cached_property
    def offsets(self) -> Integers:
        """Where in the stream each document begins, and after the last one where it ends."""
        offsets: Integers = self._open(OFFSETS)
        return offsets

    @cached_property
    def num_bytes(self) -> npt.NDArray[np.uint32]:
        """How many bytes of UTF-8 each document's text has: what bits per byte are counted by."""
        sizes: npt.NDArray[np.uint32] = self._open(NUM_BYTES)
        return sizes

    def document(self, number: int) -> Tokens:
        """The tokens of one document, with those that were put around it."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"document {number} of {len(self)}")
        number %= len(self)
        return self.tokens(int(self.offsets[number]), int(self.offsets[number + 1]))

    def tokens(self, start: int, end: int) -> Tokens:
        """Those tokens of the whole stream, all documents end to end."""
        if not 0 <= start <= end <= self.num_tokens:
            raise IndexError(f"tokens {start} to {end} of {self.num_tokens}")
        first = int(np.searchsorted(self._starts, start, side="right")) - 1
        parts: list[Any] = []
        while not parts or start < end:
            if first >= len(self._files):  # the empty end of all
                return np.zeros(0, self.manifest["dtype"])
            begin, stop = int(self._starts[first]), min(end, int(self._starts[first + 1]))
            parts.append(self._open(self._files[first])[start - begin : stop - begin])
            start, first = stop, first + 1
        whole: Tokens = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return whole

    def verify(self) -> None:
        """Read and hash all files.

        Raises:
            ValueError: one is not as it was written.
        """
        for name, expected in _hashes(self.manifest):
            if hash_file(self.folder / name) != expected:
                raise ValueError(
                    f"{self.folder / name} is damaged: its hash is not that of the manifest\nwrite it again"
                )

    def _open(self, name: str) -> Any:
        if name not in self._mapped:
            # as a plain array: numpy's memory-mapped kind is slow to index
            self._mapped[name] = np.asarray(np.load(self.folder / name, mmap_mode="r"))
        return self._mapped[name]


def _hashes(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((shard["file"], shard["sha256"]) for shard in manifest["shards"])
    yield from manifest["files"].items()


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        unfinished = folder.with_name(folder.name + ".unfinished").is_dir()
        hint = (
            "they are not finished: write_shards with the same texts goes on"
            if unfinished
            else "expected manifest.json"
        )
        raise ValueError(f"no shards in {folder}\n{hint}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"]
        if found != FORMAT:
            raise ValueError(f"its format is {found}, this version of slimlit reads {FORMAT}")
        item = np.dtype(manifest["dtype"]).itemsize
        expected = {shard["file"]: shard["tokens"] * item for shard in manifest["shards"]}
        expected |= {OFFSETS: 8 * (manifest["documents"] + 1), NUM_BYTES: 4 * manifest["documents"]}
        for name, size in expected.items():
            if not 0 < (folder / name).stat().st_size - size < 1024:  # the header of .npy
                raise ValueError(f"{name} has {(folder / name).stat().st_size} bytes, expected {size} and a header")
        if sum(shard["tokens"] for shard in manifest["shards"]) != manifest["tokens"]:
            raise ValueError("the shards have not as many tokens as the manifest says")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"the shards in {folder} cannot be used: {problem}\nwrite them again") from problem
    return manifest


def hash_file(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
