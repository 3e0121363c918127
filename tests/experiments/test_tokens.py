"""The tokens experiment: its harness runs on toy texts, and its table says whether the ids are the same."""

from pathlib import Path

from experiments.tokens.__main__ import measure, opening, read, table
from slimlit.text.tokens.encoder import Encoder
from slimlit.text.tokens.tokenizer_training import train_tokenizer
from tests.text.test_tokenizer_training import CHINESE, TEXTS


def test_everybody_is_measured_and_compared(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("\n".join([*TEXTS * 3, "", *CHINESE]), encoding="utf-8")
    texts = read(tmp_path / "texts.txt", 1.0)
    assert len(texts) == len(TEXTS) * 3 + len(CHINESE)
    train_tokenizer(texts, "bpe", 300, tmp_path / "bpe")
    encoder = Encoder(tmp_path / "bpe")
    row = measure("ours", encoder.tokenizer, "both", texts, 1)
    assert (row["same ids"], row["way"], len(row["speeds"])) == (True, "tiktoken", 3)
    assert "| ours | both | tiktoken |" in table([row])
    assert opening(encoder, texts, tmp_path)["documents"] == len(texts)
