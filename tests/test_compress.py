"""``slimlit compress`` makes a run of a run: with a smaller student, its tokenizer, its ledger and its config, by an ordinary fit."""

import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
import yaml

from slimlit.__main__ import main
from slimlit.data.toy import write_toy_translations
from slimlit.models import Head, Pretrained
from slimlit.models.tokenizers import load_tokenizer
from slimlit.models.toy import write_toy_translator

TOY = """
seed_everything: 1
trainer:
  max_epochs: 3
  accelerator: cpu
  enable_progress_bar: false
  num_sanity_val_steps: 0
model:
  class_path: slimlit.tasks.SequenceClassification
  init_args:
    student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}, pooling: attention}}}}
    optimizer: {{class_path: slimlit.tasks.optimizers.AdamW, init_args: {{lr: 0.007}}}}
data:
  class_path: slimlit.data.TextClassification
  init_args: {{train: {files}/train.csv, validation: {files}/validation.csv, test: {files}/test.csv, tokenizer: {model}, max_length: 32}}
"""
TRANSLATION = """
trainer: {{max_epochs: 1, max_steps: 2, limit_val_batches: 1, accelerator: cpu, enable_progress_bar: false, num_sanity_val_steps: 0}}
checkpoint: {{monitor: null}}
model:
  class_path: slimlit.tasks.Seq2Seq
  init_args: {{student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {folder}/model}}}}, generation: {{max_new_tokens: 16}}}}
data:
  class_path: slimlit.data.Pairs
  init_args: {{train: {folder}/train.tsv, validation: {folder}/validation.tsv, test: {folder}/test.tsv, tokenizer: {folder}/model, max_length: 32, max_target_length: 32}}
"""
NO_EPOCH = ("--trainer.max_epochs", "0", "--checkpoint.monitor", "null")


@pytest.fixture(scope="module")
def workplace(toy_files: Path, toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    folder = tmp_path_factory.mktemp("compressed")
    (folder / "toy.yaml").write_text(TOY.format(files=toy_files, model=toy_model))
    (folder / "translation.yaml").write_text(TRANSLATION.format(folder=folder))
    write_toy_translations(folder, num_train=40, num_other=4)
    write_toy_translator(folder / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["slimlit"])
        patch.setenv("SLIMLIT_CACHE", str(folder / "cache"))
        assert main(["fit", "--config", "toy.yaml", "--wandb", "disabled", "--run", "first"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _there(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.setattr(sys, "argv", ["slimlit"])


def compress(to: str, *options: str, run: str = "first") -> int:
    return main(["compress", "--run", run, "--to", to, "--wandb", "disabled", *options])


def logits(run: str, texts: list[str]) -> torch.Tensor:
    student = Pretrained(f"runs/{run}").build(Head(["negative", "positive"])).eval()
    tokens = load_tokenizer(f"runs/{run}")(texts, return_tensors="pt", padding=True)
    with torch.no_grad():
        found: torch.Tensor = student(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).logits
    return found


def test_words_alone_say_the_same_of_the_texts_they_were_chosen_by(toy_files: Path) -> None:
    texts = [line.split(",")[0].strip('"') for line in (toy_files / "train.csv").read_text().splitlines()[1:9]]
    Path("some.txt").write_text("\n".join(texts))
    assert compress("words", "--vocabulary", "some.txt") == 0
    torch.testing.assert_close(logits("words", texts), logits("first", texts), atol=1e-6, rtol=0)
    sizes = json.loads(Path("runs/words/reports/compress.json").read_text())
    assert sizes["after"]["words"] < sizes["before"]["words"]
    assert main(["test", "--run", "words", "--wandb", "disabled"]) == 0


def test_what_was_chosen_by_texts_is_in_the_ledger_and_training_is_not() -> None:
    stages = json.loads(Path("runs/words/student/privacy.json").read_text())["stages"]
    assert [one["kind"] for one in stages if one["run"] == "words"] == ["vocabulary"]
    assert "training" in [one["kind"] for one in stages if one["run"] == "first"]


def test_smaller_matrices_are_distilled_from_the_run_by_an_ordinary_fit() -> None:
    options = ["--vocabulary", "seen", "--heads", "0.5", "--feed_forward", "0.5", "--layers", "0.5", "--epochs", "2"]
    assert compress("small", *options) == 0
    config = yaml.safe_load(Path("runs/small/config.yaml").read_text())
    model = config["model"]["init_args"]
    assert model["teacher"]["class_path"] == "slimlit.compress.FewerWords"
    assert model["student"] == {
        "class_path": "slimlit.compress.Pruned",
        "init_args": {"source": "runs/first", "plan": "runs/small/plan"},
    }
    saved = json.loads(Path("runs/small/student/config.json").read_text())
    assert (saved["encoder"]["num_attention_heads"], saved["head_dim"]) == (1, 16)
    assert (saved["encoder"]["num_hidden_layers"], saved["encoder"]["intermediate_size"]) == (1, 32)
    assert main(["test", "--run", "small", "--wandb", "disabled"]) == 0
    assert json.loads(Path("runs/small/reports/test.json").read_text())["test/accuracy"] > 0.8
    stages = json.loads(Path("runs/small/privacy.json").read_text())["stages"]
    assert {one["kind"] for one in stages if one["run"] == "small"} >= {"pruning", "vocabulary", "training"}


def test_a_run_that_chose_by_weights_and_public_words_owes_the_training_texts_nothing_more(tmp_path: Path) -> None:
    public = tmp_path / "public.txt"
    public.write_text("the film was joyful\nthe film was dull\n")
    assert compress("public", "--score", "weights", "--feed_forward", "0.5", "--vocabulary", str(public)) == 0
    stages = json.loads(Path("runs/public/privacy.json").read_text())["stages"]
    assert [(one["kind"], one["source"]) for one in stages if one["run"] == "public"] == [("vocabulary", str(public))]


def test_a_translator_reads_and_writes_with_fewer_words() -> None:
    assert main(["fit", "--config", "translation.yaml", "--wandb", "disabled", "--run", "translator"]) == 0
    assert compress("pairs", "--vocabulary", "seen", "--feed_forward", "0.25", "--epochs", "1", run="translator") == 0
    settings = json.loads(Path("runs/pairs/student/config.json").read_text())
    assert settings["encoder_ffn_dim"] == settings["decoder_ffn_dim"] == 96
    assert settings["vocab_size"] == len(load_tokenizer("runs/pairs"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to take away: every part was to stay whole"),
        (["--heads", "1.5"], "--heads is 1.5; expected the share to take away"),
        (["--vocabulary", "sene"], "--vocabulary is 'sene', which is no file"),
        (["--feed_forward", "0.5", "--epochs", "-1"], "--epochs is -1"),
        (["--feet", "0.5"], "feet"),
        (["--to", "first", "--heads", "0.5"], "run 'first' exists"),
        (["--score", "tailor", "--heads", "0.5"], "score"),
    ],
)
def test_a_mistake_is_told_in_a_line_or_two_and_leaves_nothing(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compress("none", *options) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) <= 4
    assert not Path("runs/none").exists()


@pytest.mark.parametrize("verb", ["compress", "fit"])
def test_a_full_disk_is_told_in_two_lines_and_leaves_nothing(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    known = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, known[1]))  # less than the student takes
    try:
        if verb == "compress":
            assert compress("full", "--feed_forward", "0.5", "--score", "weights") == 2
        else:
            assert main(["fit", "--config", "toy.yaml", "--wandb", "disabled", "--run", "full", *NO_EPOCH]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, known)
    said = capsys.readouterr().err
    assert "error: no room on the disk: " in said
    assert "File too large" in said
    assert len(said.splitlines()) <= 4
    assert not Path("runs/full").exists()


def end_by_sigterm(*_: object) -> None:
    assert Path("runs/ended/plan/plan.json").is_file()
    os.kill(os.getpid(), signal.SIGTERM)


def test_sigterm_while_it_chooses_leaves_nothing_and_a_plan_that_a_killed_one_left_is_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("slimlit.compressor.write_choices", end_by_sigterm)
        assert compress("ended", "--feed_forward", "0.5", "--score", "weights") == 143
    assert not Path("runs/ended").exists()
    left = Path("runs/ended/plan")
    left.mkdir(parents=True)
    (left / "plan.json").write_text("{}")
    assert compress("ended", "--feed_forward", "0.5", "--score", "weights") == 0


def test_a_folder_that_is_no_run_stays_and_is_not_said_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/mine").mkdir()
    Path("runs/mine/notes.txt").write_text("mine")
    assert compress("mine", "--heads", "0.5") == 2
    said = capsys.readouterr().err
    assert "is no run: it has no config.yaml" in said
    assert "--resume" not in said
    assert Path("runs/mine/notes.txt").is_file()


def test_a_run_that_is_not_finished_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/begun").mkdir()
    shutil.copy("runs/first/config.yaml", "runs/begun/config.yaml")
    assert compress("none", "--heads", "0.5", run="begun") == 2
    assert "run 'begun' is not finished" in capsys.readouterr().err
    assert main(["compress", "--run", "first", "--heads", "0.5"]) == 2
    assert "--to NAME" in capsys.readouterr().err
