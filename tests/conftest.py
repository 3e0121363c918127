"""What every test may ask for: toy data with planted answers, a toy model, a cache folder of its own."""

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # as slimlit sets it: threads that spin made tests ten times as slow

import torch

from slimlit.data.toy import toy_reviews, write_toy_files, write_toy_translations
from slimlit.data.toy_tags import write_toy_sentences
from slimlit.models.toy import write_toy_decoder, write_toy_model, write_toy_translator
from slimlit.models.toy_chat import write_toy_chat_model
from slimlit.text.downloads.bundles import BUNDLES
from tests.browser import NAMES, Browser, find_browser

# where tests train on two processes, these are forked of one that has imported all that takes seconds
multiprocessing.set_forkserver_preload(["lightning.pytorch", "transformers", "slimlit.tasks", "slimlit.callbacks"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The README's commands first, which take a minute: at the end one process would wait for the other."""
    items.sort(key=lambda item: "test_readme" not in item.nodeid)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIMLIT_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    """Sums over another number of threads are rounded otherwise, and runs are compared to the bit."""
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random BERT with a tokenizer that knows the toy words."""
    folder = tmp_path_factory.mktemp("toy-model")
    write_toy_model(folder)
    return folder


@pytest.fixture(scope="session")
def toy_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train.csv, validation.csv and test.csv of toy reviews."""
    folder = tmp_path_factory.mktemp("toy-files")
    write_toy_files(folder)
    return folder


@pytest.fixture(scope="session")
def toy_sentence_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train.jsonl, validation.jsonl and test.jsonl of toy sentences."""
    folder = tmp_path_factory.mktemp("toy-sentences")
    write_toy_sentences(folder)
    return folder


@pytest.fixture(scope="session")
def toy_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text file with a document a line."""
    file = tmp_path_factory.mktemp("toy-text") / "text.txt"
    file.write_text("\n".join(review.text for review in toy_reviews(160)))
    return file


@pytest.fixture(scope="session")
def toy_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a tokenizer of bytes and toy words."""
    folder = tmp_path_factory.mktemp("toy-decoder")
    write_toy_decoder(folder)
    return folder


@pytest.fixture(scope="session")
def toy_bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder whose bundles are toys, so that configs and README commands run as they are, without a network."""
    cache = tmp_path_factory.mktemp("toy-cache")
    write_toy_model(cache / "bundles" / "minilm", layers=6, width=32, heads=4, max_positions=128)
    write_toy_chat_model(cache / "bundles" / "smollm2", layers=30, width=16, heads=2, max_positions=512)
    for name, bundle in BUNDLES.items():
        folder = cache / "bundles" / name
        if bundle.main:
            write_toy_files(folder, num_train=480, num_other=2, language="zh" if name.startswith("chinese") else "en")
            (folder / "train.csv").rename(folder / bundle.main)
        (folder / "manifest.json").write_text("{}")
    return cache


@pytest.fixture(scope="session")
def toy_translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train.tsv, validation.tsv and test.tsv of toy translations, a fresh ``model`` for them, and a ``trained`` one."""
    from tests.tasks.translators import write_trained_translator

    folder = tmp_path_factory.mktemp("toy-translator")
    write_toy_translations(folder)
    write_toy_translator(folder / "model")
    write_trained_translator(folder, folder / "trained")
    return folder


@pytest.fixture(scope="session")
def toy_chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a byte-level tokenizer and a chat template."""
    folder = tmp_path_factory.mktemp("toy-chat-model")
    write_toy_chat_model(folder)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium with no network; tests that look at pages are skipped where none is installed."""
    command = find_browser()
    if command is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(NAMES)}): apt-get install chromium")
    with Browser(command) as opened:
        yield opened
