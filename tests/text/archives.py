"""Tiny wheels and source archives for a local index, made by hand."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from slimlit.text.downloads.archives import Archive


def make_wheel(folder: Path, package: str, files: Mapping[str, str]) -> Archive:
    return make_wheel_of_bytes(folder, package, {name: content.encode() for name, content in files.items()})


def make_wheel_of_bytes(folder: Path, package: str, files: Mapping[str, bytes]) -> Archive:
    module = package.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\nRequires-Dist: no-such-package-at-all\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    return pin(path, package)


def make_source_archive(folder: Path, package: str, files: Mapping[str, str]) -> Archive:
    members = {"PKG-INFO": f"Metadata-Version: 1.0\nName: {package}\nVersion: 1.0\n", **files}
    path = folder / f"{package}-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as source:
        for name, content in members.items():
            entry = tarfile.TarInfo(f"{package}-1.0/{name}")
            entry.size = len(content.encode())
            source.addfile(entry, io.BytesIO(content.encode()))
    return pin(path, package)


def pin(path: Path, package: str) -> Archive:
    return Archive(package, "1.0", path.name, hashlib.sha256(path.read_bytes()).hexdigest())
