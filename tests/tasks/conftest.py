"""A toy text and a toy decoder with its tokenizer."""

from pathlib import Path

import pytest

from slimlit.data.toy import toy_reviews
from slimlit.models.toy import write_toy_decoder


@pytest.fixture(scope="session")
def toy_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document a line."""
    file = tmp_path_factory.mktemp("toy-text") / "text.txt"
    file.write_text("\n".join(review.text for review in toy_reviews(160)))
    return file


@pytest.fixture(scope="session")
def toy_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a tokenizer of bytes."""
    folder = tmp_path_factory.mktemp("toy-decoder")
    write_toy_decoder(folder)
    return folder
