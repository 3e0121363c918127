"""What came with a run changed since: its texts, settings, teacher or files. Nothing goes on as if it had not."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from slimlit.__main__ import main

CONFIG = """
trainer: {{max_epochs: 1, accelerator: cpu, enable_progress_bar: false}}
model:
  class_path: slimlit.tasks.SequenceClassification
  init_args:
    student: {{class_path: slimlit.models.Pretrained, init_args: {{source: {model}, pooling: attention}}}}
    train_words: seen
data:
  class_path: slimlit.data.TextClassification
  init_args: {{train: texts.csv, tokenizer: {model}, max_length: 32, batch_size: 16}}
wandb: disabled
"""
DISTIL = """
model:
  init_args:
    teacher: {class_path: slimlit.models.Pretrained, init_args: {source: runs/old}}
    student: {class_path: slimlit.models.Shrunk, init_args: {layers: [1]}}
    loss: {class_path: slimlit.losses.SoftTargets}
trainer: {callbacks: [{class_path: slimlit.callbacks.TeacherCache}]}
"""


@pytest.fixture(scope="module")
def finished(toy_files: Path, toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with texts.csv, toy.yaml and a finished run, old."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(toy_files / "train.csv", folder / "texts.csv")
    (folder / "toy.yaml").write_text(CONFIG.format(model=toy_model))
    (folder / "distil.yaml").write_text(DISTIL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["fit", "--config", "toy.yaml", "--run", "old"]) == 0
    return folder


@pytest.fixture(autouse=True)
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["slimlit"])
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "here"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    config = Path("runs/old/config.yaml").read_text()
    capsys.readouterr()
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err
    assert Path("runs/old/config.yaml").read_text() == config
    assert len(error.strip().splitlines()) <= 6, error
    return error


RESUME = ("fit", "--run", "old", "--resume", "--trainer.max_epochs", "2")


def test_a_run_whose_texts_grew_is_not_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    with Path("texts.csv").open("a") as file:
        file.write("never seen words of joy,positive\n" * 30)
    assert "the train texts differ from those this run began with" in refused(capsys, *RESUME)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--data.batch_size", "8", "size and seed of the batches differ"),
        (
            "--model.student.pooling",
            "mean",
            "model.init_args.student.init_args.pooling is not what this run began with",
        ),
        ("--model.train_words", "all", "model.init_args.train_words is not what this run began with"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *RESUME, option, value)


def test_a_run_goes_on_with_more_epochs_and_other_logging() -> None:
    assert main([*RESUME, "--trainer.log_every_n_steps", "3"]) == 0


def test_a_student_of_other_classes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for labels in ("[positive, negative]", "[negative, neutral, positive]"):
        error = refused(capsys, "test", "--run", "old", "--data.labels", labels)
        assert "student and data differ in their classes" in error
    assert not Path("runs/old/reports/test.json").exists()


def test_a_student_of_another_vocabulary_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    other = Path("other")
    shutil.copytree("runs/old/student", other)
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    first, second = sorted(words, key=words.get)[-2:]
    words[first], words[second] = words[second], words[first]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    error = refused(capsys, "fit", "--config", "toy.yaml", "--run", "new", "--model.student.source", "other")
    assert "the student's tokenizer (other) differs from the data's" in error
    assert not Path("runs/new").exists()


def test_a_run_that_was_moved_is_read_and_written_where_it_is_now() -> None:
    config = Path(shutil.copytree("runs/old", "runs/moved")) / "config.yaml"
    lines = config.read_text().splitlines()
    assert "runs: runs" in lines
    config.write_text("\n".join("runs: gone" if line == "runs: runs" else line for line in lines) + "\n")
    assert main(["test", "--run", "moved", "--data.test", "texts.csv"]) == 0
    assert Path("runs/moved/reports/test.json").is_file()
    assert not Path("gone").exists()


def test_a_dirty_test_file_is_accounted_for(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Path("texts.csv").read_text().splitlines()
    Path("test.csv").write_text("\n".join([*lines[:11], ",positive", "too,many,cells"]) + "\n")
    assert main(["test", "--run", "old", "--data.test", "test.csv"]) == 0
    assert "test file: 1 empty and 1 broken rows left out" in capsys.readouterr().out
    report = json.loads(Path("runs/old/reports/data-test.json").read_text())
    assert report["test"]["examples"] == 10
    assert report["texts of validation or test that are in train too"] > 0
    assert main(["predict", "--run", "old", "--data.predict", "test.csv"]) == 0
    assert "predict file: 1 empty and 1 broken rows left out" in capsys.readouterr().out


def test_a_student_is_used_where_its_teacher_and_training_texts_are_gone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "toy.yaml", "--config", "distil.yaml", "--run", "small"]) == 0
    shutil.copy("texts.csv", "test.csv")
    shutil.rmtree("runs/old")
    Path("texts.csv").unlink()
    capsys.readouterr()
    assert main(["test", "--run", "small", "--data.test", "test.csv"]) == 0
    said = capsys.readouterr()
    assert "the teacher runs/old is not there" in said.err
    assert "test/accuracy" in said.out
    assert "test/agreement" not in said.out
    assert main(["predict", "--run", "small", "--data.predict", "test.csv"]) == 0


def test_a_config_without_its_option_is_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean --config toy.yaml?" in refused(capsys, "fit", "toy.yaml")


def test_damaged_files_of_a_run_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs/old/checkpoints/last.ckpt").write_bytes(b"not a checkpoint")
    assert "last.ckpt is damaged" in refused(capsys, *RESUME)
    Path("runs/old/student/model.safetensors").write_bytes(b"12345678 no weights")
    assert "are damaged" in refused(capsys, "test", "--run", "old")
    Path("runs/old/config.yaml").write_text("a: [")
    assert "config.yaml is damaged" in refused(capsys, "test", "--run", "old")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("list.yaml", "- a\n- b\n", "list.yaml is no config: expected settings by name"),
        (
            "twice.yaml",
            "trainer: {}\ndata: {}\ntrainer: {}\n",
            "twice.yaml:3: 'trainer' stands twice, first at twice.yaml:1",
        ),
    ],
)
def test_configs_that_are_none_are_refused(name: str, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(name).write_text(text)
    assert said in refused(capsys, "fit", "--config", name, "--run", "new")
