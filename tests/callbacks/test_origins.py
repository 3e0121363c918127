"""What a model wrote of private texts, or what was prepared of them, owes what they owe."""

import json
import math
import shutil
from pathlib import Path

import pytest

from slimlit.__main__ import main
from slimlit.privacy.ledger import Ledger, Stage, fingerprint, machine_key
from slimlit.privacy.origins import origin_of, write_origin_file
from slimlit.text.cache import cache_folder
from slimlit.text.tokens.tokenizer_training import train_tokenizer

CONFIG = """
trainer: {{max_steps: 1, accelerator: cpu, enable_progress_bar: false, limit_val_batches: 0}}
model:
  class_path: slimlit.tasks.CausalLM
  init_args: {{student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}}}}}}}
data:
  class_path: slimlit.data.LanguageModelling
  init_args: {{train: {texts}, tokenizer: {model}, max_length: 32, batch_size: 4}}
checkpoint: {{monitor: null}}
wandb: disabled
"""


def fit(model: Path, texts: str, tokenizer: Path | str | None = None) -> Ledger:
    text = CONFIG.format(model=model, texts=texts)
    if tokenizer is not None:
        text = text.replace(f"tokenizer: {model}", f"tokenizer: {tokenizer}")
    Path("config.yaml").write_text(text)
    assert main(["fit", "--config", "config.yaml", "--run", "learned"]) == 0
    return Ledger.read(Path("runs/learned/privacy.json"))


def write_rows(file: Path) -> Stage:
    """Rows that a model wrote of diaries, which it had learned without noise."""
    file.parent.mkdir(parents=True, exist_ok=True)
    texts = [f"day {number}: the weather was {'fine and dry' if number % 2 else 'wet'} all day" for number in range(40)]
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    learned = Stage("writer", "training", "diaries.jsonl", "train", "k:1", 40, why="trained without noise")
    rows = {"source": "diaries.jsonl", "split": "train", "num_units": 40, "run": "writer"}
    write_origin_file(origin_of(file), Ledger([learned]), rows, "")
    return learned


@pytest.mark.parametrize("prepared", [False, True])
def test_rows_in_a_folder_owe_what_their_writer_does_and_so_does_what_is_prepared_of_them(
    prepared: bool, toy_decoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learned = write_rows(Path("written/train.jsonl"))
    if prepared:
        settings = ["--near_duplicates", "null", "--rules", "[]", "--contained", "null"]
        assert main(["prepare", "--sources", "[written]", "--output", "clean", *settings]) == 0
    ledger = fit(toy_decoder, "clean" if prepared else "written")
    assert learned in ledger.stages
    (cost,) = ledger.costs()
    assert "diaries.jsonl" in cost.source
    assert math.isinf(cost.epsilon)


def test_a_prepared_folder_is_of_the_texts_it_was_made_of(
    toy_decoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_rows(Path("raw/a.jsonl"))
    origin_of(Path("raw/a.jsonl")).unlink()
    settings = ["--near_duplicates", "null", "--rules", "[]", "--contained", "null"]
    assert main(["prepare", "--sources", "[raw/a.jsonl]", "--output", "clean", *settings]) == 0
    ledger = fit(toy_decoder, "clean") + Ledger([Stage("other", "training", "raw/a.jsonl", "train", "k:2", 40)])
    assert [cost.source for cost in ledger.costs()] == ["raw/a.jsonl and clean"]


def test_shards_and_the_texts_in_them_are_one_data_set_and_owe_what_the_prepared_texts_owe(
    toy_decoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learned = write_rows(Path("written/train.jsonl"))
    settings = ["--near_duplicates", "null", "--rules", "[]", "--contained", "null"]
    shards = ["--shards.tokenizer", str(toy_decoder), "--split", "{validation: 0.2}"]
    assert main(["prepare", "--sources", "[written]", "--output", "clean", *settings, *shards]) == 0
    ledger = fit(toy_decoder, "clean/shards")
    assert learned in ledger.stages
    (trained,) = [stage for stage in ledger.stages if stage.kind == "training" and stage.run == "learned"]
    texts = [json.loads(line)["text"] for line in next(Path("clean/train").iterdir()).read_text().splitlines()]
    key = machine_key(cache_folder())
    assert trained.data == fingerprint(texts, None, key)
    apart = Stage("made", "vocabulary", str(tmp_path / "clean"), "train", fingerprint(["x"], None, key), 40)
    assert len((Ledger([trained]) + Ledger([apart])).costs()) == 1  # the folder the shards are in


def test_a_vocabulary_made_of_written_rows_owes_what_their_writer_does(
    toy_decoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learned = write_rows(Path("written/train.jsonl"))
    texts = [json.loads(line)["text"] for line in Path("written/train.jsonl").read_text().splitlines()]
    train_tokenizer(texts, "bpe", 280, "words", source="written/train.jsonl")
    assert learned in Ledger.read(Path("words/privacy.json")).stages
    (cost,) = Ledger.read(Path("words/privacy.json")).costs()
    assert (cost.source, cost.epsilon) == ("diaries.jsonl and written/train.jsonl", math.inf)
    for file in toy_decoder.glob("*token*"):  # a model of this size reads no other
        shutil.copy(file, "words")
    Path("public.txt").write_text("\n".join(texts))
    ledger = fit(toy_decoder, "public.txt", "words")
    assert learned in ledger.stages
    (words,) = [stage for stage in ledger.stages if stage.kind == "vocabulary"]
    assert words.run == "words"
