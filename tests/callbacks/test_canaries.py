"""Canaries are planted by coins that nobody sees, before anything counts the texts, and are the same when a run goes on."""

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.strategies import DDPStrategy

from slimlit.callbacks import Canaries, DifferentialPrivacy, TeacherCache
from slimlit.callbacks.checkpoint_file import CheckpointFile
from slimlit.callbacks.run_directory import RunDirectory
from slimlit.data import TextClassification
from slimlit.losses import SoftTargets
from slimlit.models import Pretrained, Shrunk
from slimlit.privacy.canaries import read_canaries
from slimlit.privacy.journal import Journal
from slimlit.tasks import SequenceClassification
from tests.tasks.doubles import make_task, toy_data, toy_teacher, toy_trainer


def fit(
    model: Path, files: Path, folder: Path, *callbacks: Callback, task: SequenceClassification | None = None,
    data: dict[str, Any] | None = None, ckpt_path: Path | None = None, **trainer: Any,
) -> tuple[Trainer, TextClassification]:  # fmt: skip
    seed_everything(1)
    made = toy_trainer(folder, callbacks=list(callbacks), **{"max_steps": 1, "limit_val_batches": 0, **trainer})
    texts = toy_data(model, files, **(data or {}))
    made.fit(task or make_task(Pretrained(str(model), pooling="attention")), datamodule=texts, ckpt_path=ckpt_path)
    return made, texts


def planted_in(folder: Path) -> list[tuple[str, str]]:
    return [(one.text, one.label) for one in read_canaries(folder / "private") or [] if one.planted]


def test_the_planted_ones_stand_after_the_training_texts_and_only_their_owner_reads_them(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    canaries = Canaries(num=60)
    _, data = fit(toy_model, toy_files, tmp_path, canaries)
    planted = planted_in(tmp_path)
    assert 10 < len(planted) < 50
    split = data.splits["train"]
    assert len(split) == 320 + len(planted)
    labels = [data.labels[number] for number in split.label_ids]
    assert list(zip(split.texts, labels, strict=True))[320:] == planted
    assert data.report["canaries"] == {"drawn": 60, "planted among the training texts": len(planted)}
    assert data.report["train"]["examples"] == len(split)
    assert stat.S_IMODE((tmp_path / "private" / "canaries.jsonl").stat().st_mode) == 0o600
    words = {word for text, _ in planted for word in text.split()}
    assert words <= set(data.tokenizer.get_vocab())


def test_two_runs_have_other_canaries_unless_seeded(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    for name, seed in {"a": None, "b": None, "c": 3, "d": 3}.items():
        fit(toy_model, toy_files, tmp_path / name, Canaries(num=20, seed=seed))
    found = {name: planted_in(tmp_path / name) for name in "abcd"}
    assert found["a"] != found["b"]
    assert found["c"] == found["d"]


@pytest.mark.parametrize("first", [True, False])
def test_private_training_counts_canaries_as_units_whatever_the_order(
    first: bool, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    private, canaries = DifferentialPrivacy(noise_multiplier=1.0), Canaries(num=40)
    callbacks = [canaries, private] if first else [private, canaries]
    _, data = fit(toy_model, toy_files, tmp_path, *callbacks)
    num_units = 320 + len(planted_in(tmp_path))
    mechanism = Journal(tmp_path / "private").mechanism()
    assert mechanism is not None
    assert mechanism.num_units == num_units == len(data.splits["train"])
    assert mechanism.sample_rate == 16 / num_units
    assert mechanism.delta == 0.1 / num_units


def test_each_canary_is_a_group_of_its_own(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    lines = (toy_files / "train.csv").read_text().splitlines()
    (tmp_path / "train.csv").write_text(
        "\n".join(f"{line},{'author' if not row else row % 20}" for row, line in enumerate(lines)) + "\n"
    )
    for name in ("validation.csv", "test.csv"):
        (tmp_path / name).write_text((toy_files / name).read_text())
    private = DifferentialPrivacy(noise_multiplier=1.0, group_column="author")
    _, data = fit(toy_model, tmp_path, tmp_path / "run", private, Canaries(num=40))
    num_planted = len(planted_in(tmp_path / "run"))
    groups = data.groups("author")
    assert private.num_units == 20 + num_planted
    assert np.bincount(groups)[20:].tolist() == [1] * num_planted
    assert len(groups) == len(data.splits["train"])


def test_the_teacher_is_asked_about_canaries_too(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    cache = TeacherCache(str(tmp_path / "cache"))
    teacher = toy_teacher(toy_model, toy_files, tmp_path, epochs=1)
    task = make_task(Shrunk(layers=[1]), Pretrained(str(teacher)), SoftTargets())
    _, data = fit(toy_model, toy_files, tmp_path, cache, Canaries(num=20), task=task)
    assert cache.fingerprints["train"] == data.splits["train"].fingerprint
    assert len(data.splits["train"]) == 320 + len(planted_in(tmp_path))


def saving(folder: Path) -> dict[str, Any]:
    return {"plugins": [CheckpointFile()], "enable_checkpointing": True, "max_epochs": -1}


def test_a_run_that_goes_on_has_the_same_canaries(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    def directory() -> RunDirectory:
        return RunDirectory(every_n_steps=1, monitor=None)

    _, before = fit(toy_model, toy_files, tmp_path, Canaries(num=20), directory(), **saving(tmp_path))
    last = tmp_path / "checkpoints" / "last.ckpt"
    _, after = fit(
        toy_model,
        toy_files,
        tmp_path,
        Canaries(num=20),
        directory(),
        **{**saving(tmp_path), "max_steps": 2},
        ckpt_path=last,
    )
    assert before.splits["train"].texts == after.splits["train"].texts
    ledger = json.loads((tmp_path / "privacy.json").read_text())
    assert ledger["stages"][0]["num_units"] == len(after.splits["train"])
    assert ledger["stages"][0]["why"] == "trained without noise; 20 canaries drawn"
    with pytest.raises(ValueError, match="began with 20"):
        fit(toy_model, toy_files, tmp_path, Canaries(num=30), ckpt_path=last)
    with pytest.raises(ValueError, match="differ from those this run began with"):
        fit(toy_model, toy_files, tmp_path, ckpt_path=last, max_steps=3)
    texts = [text.encode() for text, _ in planted_in(tmp_path)]
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "canaries.jsonl":
            assert not any(text in file.read_bytes() for text in texts), file
    (tmp_path / "private" / "canaries.jsonl").unlink()
    with pytest.raises(ValueError, match="began without canaries"):
        fit(toy_model, toy_files, tmp_path, Canaries(num=20), ckpt_path=last)


class Tell(Callback):
    """Writes what each process trains on."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        texts = trainer.datamodule.splits["train"].texts  # type: ignore[attr-defined]
        Path(self.folder, f"{trainer.global_rank}.json").write_text(json.dumps(texts))


def test_two_processes_plant_the_same(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    task = SequenceClassification(Pretrained(str(toy_model), pooling="attention"))
    strategy = DDPStrategy(process_group_backend="gloo", start_method="forkserver")
    fit(toy_model, toy_files, tmp_path, Canaries(num=20), Tell(str(tmp_path)), task=task, devices=2, strategy=strategy)
    one, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one == other
    assert [text for text, _ in planted_in(tmp_path)] == one[320:]


def test_drawing_canaries_leaves_the_run_s_random_numbers_alone(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    class Random(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.number = float(torch.rand(()))

    found = []
    for name, callbacks in {"with": [Canaries(num=20)], "without": []}.items():
        random = Random()
        fit(toy_model, toy_files, tmp_path / name, *callbacks, random)
        found.append(random.number)
    assert found[0] == found[1]


def test_wrong_numbers_are_refused() -> None:
    for settings in ({"num": 0}, {"num_words": 0}):
        with pytest.raises(ValueError, match="expected 1 or more"):
            Canaries(**settings)
