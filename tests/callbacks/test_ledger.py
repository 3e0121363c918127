"""A model owes to data what the vocabulary it reads with owes to it."""

import json
import shutil
from pathlib import Path

import pytest

from slimlit.__main__ import main
from slimlit.privacy.ledger import Ledger, Stage, fingerprint, machine_key
from slimlit.text.cache import cache_folder

CONFIG = """
trainer: {{max_steps: 1, accelerator: cpu, enable_progress_bar: false, limit_val_batches: 0}}
model:
  class_path: slimlit.tasks.SequenceClassification
  init_args:
    student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}, pooling: attention}}}}
data:
  class_path: slimlit.data.TextClassification
  init_args: {{train: {texts}, tokenizer: {tokenizer}, max_length: 32, batch_size: 16}}
wandb: disabled
"""


def fit(name: str, model: Path | str, tokenizer: Path | str, texts: Path) -> Ledger:
    Path(f"{name}.yaml").write_text(CONFIG.format(model=model, tokenizer=tokenizer, texts=texts))
    assert main(["fit", "--config", f"{name}.yaml", "--run", name]) == 0
    return Ledger.read(Path("runs") / name / "privacy.json")


def test_a_vocabulary_made_of_private_text_is_in_the_ledger_of_every_model_that_reads_with_it_once(
    toy_model: Path, toy_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = tmp_path / "words"
    words.mkdir()
    data = fingerprint(["letters"], None, machine_key(cache_folder()))
    stage = Stage("words", "vocabulary", "letters.txt", "train", data, 900, why="a vocabulary was made of these texts")
    for file in toy_model.glob("*token*"):
        shutil.copy(file, words)
    other = Stage(
        "words", "training", "diaries.txt", "train", "k:2", 50, why="of the model in that folder, not its words"
    )
    (words / "privacy.json").write_text(Ledger([stage, other], ["a note on the model"]).text())
    texts = toy_files / "train.csv"
    teacher = fit("teacher", toy_model, words, texts)
    assert teacher.stages[0] == stage
    assert other not in teacher.stages
    cost = next(one for one in json.loads(teacher.text())["data"] if one["source"] == "letters.txt")
    assert (cost["epsilon"], cost["stages"]) == (None, ["vocabulary of words"])
    for tokenizer in ("runs/teacher", words):  # by way of the teacher, and by both ways
        student = fit(f"from-{Path(tokenizer).name}", "runs/teacher", tokenizer, texts)
        assert student.stages.count(stage) == 1
        assert next(one.run for one in student.stages if one.kind == "training") == "teacher"


def test_a_tokenizer_without_a_ledger_is_noted_unless_its_model_is(
    toy_model: Path, toy_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = tmp_path / "words"
    words.mkdir()
    for file in toy_model.glob("*token*"):
        shutil.copy(file, words)
    texts = toy_files / "train.csv"
    assert (
        f"What the vocabulary of {words} was made of; it came without a ledger."
        in fit("a", toy_model, words, texts).notes
    )
    assert not [note for note in fit("b", toy_model, toy_model, texts).notes if "vocabulary" in note]
