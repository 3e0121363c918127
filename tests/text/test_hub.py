"""Hub repositories are fetched into the hub's cache and found there again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slimlit.text.downloads.hub import parse
from tests.text.hub import COMMIT, serve_hub

MODEL = {
    "config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"again", "modeling.py": b"1 / 0",
    "onnx/config.json": b"{}", "README.md": b"# toy",
}  # fmt: skip
OLD_MODEL = {"config.json": b"{}", "pytorch_model.bin": b"weights", "tf_model.h5": b"again"}
REPOSITORIES = {
    "models/org/toy": MODEL, "models/org/old": OLD_MODEL,
    "datasets/org/texts": {"data/train.csv": b"text,label\n"}, "datasets/org/toy": {"toy.csv": b"text\n"},
}  # fmt: skip
NOWHERE = "http://127.0.0.1:9"  # the discard port: nobody listens


def slimlit_download(cache: Path, address: str, *names: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HOME": str(cache), "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", **settings}
    environment |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "slimlit", "download", *names]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def kept(cache: Path, folder: str) -> set[str]:
    place = cache / "hub" / folder / "snapshots" / COMMIT
    return {str(path.relative_to(place)) for path in place.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A hub cache into which four repositories were fetched, and what was printed."""
    cache = tmp_path_factory.mktemp("hub")
    with serve_hub(REPOSITORIES) as address:
        names = ("org/toy", "org/old", "org/texts", "datasets/org/toy@main")
        answer = slimlit_download(cache, address, *names)
    assert (answer.returncode, answer.stderr) == (0, "")
    return cache, answer.stdout


def test_a_model_is_fetched_without_code_and_without_copies_for_other_libraries(fetched: tuple[Path, str]) -> None:
    cache, told = fetched
    assert kept(cache, "models--org--toy") == {"config.json", "model.safetensors", "README.md"}
    assert "fetching the model org/toy: 3 files" in told
    assert f"org/toy: {cache / 'hub' / 'models--org--toy' / 'snapshots' / COMMIT}" in told


def test_a_model_without_safetensors_is_fetched_with_pytorchs_files(fetched: tuple[Path, str]) -> None:
    assert kept(fetched[0], "models--org--old") == {"config.json", "pytorch_model.bin"}


def test_a_name_that_is_no_model_is_taken_for_a_data_set(fetched: tuple[Path, str]) -> None:
    assert kept(fetched[0], "datasets--org--texts") == {"data/train.csv"}
    assert kept(fetched[0], "datasets--org--toy") == {"toy.csv"}


def test_what_was_fetched_once_is_found_again_without_a_network(fetched: tuple[Path, str]) -> None:
    cache, _ = fetched
    for setting in ("0", "1"):
        answer = slimlit_download(cache, NOWHERE, "org/toy", "org/old", "org/texts", HF_HUB_OFFLINE=setting)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout.count("the hub does not answer; fetched before") == 3


def test_a_fetch_that_was_broken_off_is_not_taken_for_whole(tmp_path: Path) -> None:
    with serve_hub(REPOSITORIES) as address:
        assert slimlit_download(tmp_path, address, "org/toy").returncode == 0
    (tmp_path / "hub" / "models--org--toy" / "snapshots" / COMMIT / "model.safetensors").unlink()
    answer = slimlit_download(tmp_path, NOWHERE, "org/toy")
    assert answer.returncode == 2
    assert "org/toy is not here" in answer.stderr


def test_a_model_from_the_hub_loads_without_a_network(toy_model: Path, tmp_path: Path) -> None:
    files = {path.name: path.read_bytes() for path in toy_model.iterdir()}
    with serve_hub({"models/org/bert": files}) as address:
        assert slimlit_download(tmp_path, address, "org/bert").returncode == 0
    code = "from slimlit.models import Pretrained\nfrom slimlit.models.network import Head\n"
    code += "from slimlit.models.tokenizers import load_tokenizer\n"
    code += "Pretrained('org/bert').build(Head(['a', 'b']))\nprint(len(load_tokenizer('org/bert')))"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": NOWHERE, "HF_HUB_OFFLINE": "1"}
    loaded = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    assert int(loaded.stdout) > 100


@pytest.mark.parametrize("setting", ["0", "1"])
def test_without_a_network_two_lines_say_what_to_do(setting: str, tmp_path: Path) -> None:
    answer = slimlit_download(tmp_path, NOWHERE, "org/toy", HF_HUB_OFFLINE=setting)
    assert answer.returncode == 2
    first, second = answer.stderr.splitlines()
    assert first.startswith("error: org/toy is not here, and the hub does not give it: ")
    assert second.startswith("fetch it where there is a network and copy its folder here")


def test_a_name_or_revision_that_the_hub_lacks_is_told_in_two_lines(tmp_path: Path) -> None:
    with serve_hub(REPOSITORIES) as address:
        unknown = slimlit_download(tmp_path, address, "org/tyo").stderr
        revision = slimlit_download(tmp_path, address, "org/toy@v9").stderr
    assert unknown.startswith("error: the hub has no model or dataset 'org/tyo' that is open to you\ncheck the name")
    assert revision == "error: org/toy has no revision 'v9'\nleave out @v9 for the newest\n"


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("org/toy", (("model", "dataset"), "org/toy", None)),
        ("datasets/org/toy", (("dataset",), "org/toy", None)),
        ("org/toy-1.5@v1/x", (("model", "dataset"), "org/toy-1.5", "v1/x")),
    ],
)
def test_a_hub_name_is_org_and_name_with_kind_and_revision(name: str, parts: object) -> None:
    assert parse(name) == parts


@pytest.mark.parametrize("name", ["a/b/c", "datasets/x", "org/", "org/toy@", "https://x/y", "../x"])
def test_another_form_of_name_is_refused_before_anything_is_fetched(name: str) -> None:
    with pytest.raises(ValueError, match="no hub name"):
        parse(name)
