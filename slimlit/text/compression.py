"""``open_bytes``: a file as bytes, decompressed by the end of its name, as a stream."""

import bz2
import errno
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SUFFIXES = (".gz", ".bz2", ".xz", ".zst")


def plain_name(name: str) -> str:
    """The file's name without the ending of its compression."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def open_bytes(path: Path) -> io.BufferedIOBase:
    """Open a file for reading; one that ends in .gz, .bz2, .xz or .zst is decompressed as it is read.

    Raises:
        ValueError: .zst, and the package that reads it is missing.
    """
    if path.suffix == ".gz":
        return gzip.GzipFile(path)
    if path.suffix == ".bz2":
        return bz2.BZ2File(path)
    if path.suffix == ".xz":
        return lzma.LZMAFile(path)
    if path.suffix == ".zst":
        return io.BufferedReader(_pyarrow(".zst").CompressedInputStream(str(path), "zstd"))
    return path.open("rb")


def create_bytes(path: Path) -> io.BufferedIOBase:
    """Open a file for writing, compressed by the end of its name; the same bytes give the same file.

    Raises:
        ValueError: .zst, and the package that writes it is missing.
    """
    if path.suffix == ".gz":
        return gzip.GzipFile(path, "wb", compresslevel=6, mtime=0)
    if path.suffix == ".zst":
        return io.BufferedWriter(_pyarrow(".zst").CompressedOutputStream(str(path), "zstd"))
    return path.open("wb")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say of a damaged file which one it is.

    Raises:
        ValueError: the file is cut short, or is not compressed as its name says, or is not UTF-8.
    """
    try:
        yield
    except (UnicodeDecodeError, EOFError, zlib.error, lzma.LZMAError, OSError) as problem:
        if isinstance(problem, OSError) and problem.errno not in (None, errno.EINVAL, errno.EIO):
            raise  # not there, not allowed, no room: the file itself may be sound
        kinds = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}
        kind = f"a whole {kinds[path.suffix]} file of UTF-8 text" if path.suffix in kinds else "UTF-8 text"
        raise ValueError(f"{path} cannot be read: {problem}\nexpected {kind}") from problem


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow
    except ImportError as missing:
        raise ValueError(f'{what} files need the package pyarrow\ntype: pip install "slimlit[files]"') from missing
    return pyarrow
