"""Arrays kept in a folder of the cache, whole or not at all, and read back memory-mapped."""

import json
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def load_arrays(folder: Path) -> tuple[dict[str, Array], dict[str, Any]] | None:
    """The arrays by name, and the facts, that :func:`save_arrays` wrote; None where they are not there, or not whole."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        facts, checksums = manifest["facts"], manifest["checksums"]
        if manifest["checksum of facts"] != _checksum_of_facts(facts):
            return None
        if any(_checksum(folder / name) != expected for name, expected in checksums.items()):
            return None
        # as plain arrays: numpy's memory-mapped kind is slow to index
        arrays = {name.removesuffix(".npy"): np.asarray(np.load(folder / name, mmap_mode="r")) for name in checksums}
        return arrays, facts
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save_arrays(folder: Path, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> None:
    """Write the arrays and facts into ``folder``, whole or not at all; another process may do the same."""
    facts = json.loads(json.dumps(facts))  # as they will be read back
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
    try:
        for name, array in arrays.items():
            np.save(unfinished / f"{name}.npy", array)
        checksums = {file.name: _checksum(file) for file in unfinished.iterdir()}
        manifest = {"facts": facts, "checksum of facts": _checksum_of_facts(facts), "checksums": checksums}
        (unfinished / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        if load_arrays(folder) is None:
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another process was first, with the same content
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _checksum(path: Path) -> int:
    """Of all bytes: a file that lost its content in a power cut still has its size."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return zlib.crc32(content)


def _checksum_of_facts(facts: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(facts, sort_keys=True).encode())
