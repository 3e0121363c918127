"""The order of training data after an interruption is that of a run that was not interrupted."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, ModelCheckpoint
from torch import Tensor, nn

from slimlit.callbacks.checkpoint_file import CheckpointFile
from slimlit.callbacks.run_directory import RunDirectory
from slimlit.data import TextClassification
from slimlit.types import Batch

ROWS, BATCH_SIZE, BATCHES = 60, 8, 8
SETTINGS: list[dict[str, Any]] = [
    {},
    {"limit_train_batches": 3},
    {"limit_train_batches": 0.5},
    {"val_check_interval": 3},
    {"val_check_interval": 0.5, "limit_val_batches": 1},
    {"val_check_interval": 5, "check_val_every_n_epoch": None},
    {"check_val_every_n_epoch": 2},
    {"limit_val_batches": 0},
    {"accumulate_grad_batches": 2},
    {"accumulate_grad_batches": 3, "limit_train_batches": 7},
]


class Recorder(LightningModule):
    """Learns one number and writes down every example it is shown."""

    def __init__(self, stop_before: int = -1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.shown: list[list[int]] = []
        self.stop_before = stop_before

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        if len(self.shown) == self.stop_before:
            raise InterruptedError
        self.shown.append(batch["example_id"].tolist())
        return (self.weight - batch["example_id"].float()).square().mean()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("validation/accuracy", batch["example_id"].float().mean(), batch_size=len(batch["example_id"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class SaveEverywhere(Callback):
    """A checkpoint after so many batches, at the start, and at the end of each epoch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _save(self, trainer: Trainer, module: LightningModule, where: str) -> None:
        assert isinstance(module, Recorder)
        trainer.save_checkpoint(self.folder / f"{where}-{len(module.shown)}.ckpt", weights_only=False)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer, pl_module, "start")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._save(trainer, pl_module, "batch")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer, pl_module, "validation")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer, pl_module, "epoch")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._save(trainer, pl_module, "exception")


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "train.csv"
    rows = [f"{'the film was long ' * (1 + row % 7)}{'x' * (row // 7)},{row % 2}" for row in range(ROWS)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


def make_data(texts: Path, toy_model: Path) -> TextClassification:
    return TextClassification(
        str(texts), str(toy_model), validation=str(texts), test=str(texts), batch_size=BATCH_SIZE, max_length=60, seed=4
    )


def train(
    data: TextClassification, module: Recorder, folder: Path, checkpoint: Path | None = None, **settings: Any
) -> Recorder:
    settings = {
        "max_epochs": 3, "logger": False, "enable_progress_bar": False, "enable_model_summary": False,
        "accelerator": "cpu", "num_sanity_val_steps": 0, "default_root_dir": folder,
    } | settings  # fmt: skip
    settings["enable_checkpointing"] = any(isinstance(one, Checkpoint) for one in settings.get("callbacks", []))
    Trainer(**settings).fit(module, data, ckpt_path=checkpoint)
    return module


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_resuming_from_any_checkpoint_gives_the_order_of_an_uninterrupted_run(
    settings: dict[str, Any], texts: Path, toy_model: Path, tmp_path: Path
) -> None:
    saving = SaveEverywhere(tmp_path)
    whole = train(make_data(texts, toy_model), Recorder(), tmp_path, callbacks=[saving], **settings).shown
    wrong = []
    for file in sorted(tmp_path.glob("*.ckpt")):
        where, taken = file.stem.split("-")
        if where == "batch" and taken not in ("1", "3", "4", "7", "8", "16"):
            continue
        resumed = train(make_data(texts, toy_model), Recorder(), tmp_path, file, **settings).shown
        if resumed != whole[int(taken) :]:
            wrong.append(file.stem)
    assert (tmp_path / "start-0.ckpt").is_file()
    assert not wrong


@pytest.mark.parametrize("stopped_at", [0, 3, 7, 8, 9, 16])
def test_a_step_that_failed_is_made_again(stopped_at: int, texts: Path, toy_model: Path, tmp_path: Path) -> None:
    whole = train(make_data(texts, toy_model), Recorder(), tmp_path).shown
    with pytest.raises(InterruptedError):
        train(make_data(texts, toy_model), Recorder(stopped_at), tmp_path, callbacks=[SaveEverywhere(tmp_path)])
    file = tmp_path / f"exception-{stopped_at}.ckpt"
    assert train(make_data(texts, toy_model), Recorder(), tmp_path, file).shown == whole[stopped_at:]


@pytest.mark.filterwarnings(
    "ignore:Checkpoint directory .* exists and is not empty", "ignore:Be aware that when using `ckpt_path`"
)
@pytest.mark.parametrize(
    "settings", [{"every_n_train_steps": 3}, {"every_n_epochs": 1}, {"monitor": "validation/accuracy"}]
)
def test_lightnings_own_checkpoints_resume_exactly(
    settings: dict[str, Any], texts: Path, toy_model: Path, tmp_path: Path
) -> None:
    def fit(checkpoint: Path | None = None) -> list[list[int]]:
        saving = ModelCheckpoint(tmp_path, filename="{step}", auto_insert_metric_name=False, save_top_k=-1, **settings)
        return train(make_data(texts, toy_model), Recorder(), tmp_path, checkpoint, callbacks=[saving]).shown

    whole = fit()
    files = list(tmp_path.glob("*.ckpt"))
    assert len(files) >= 3
    for file in files:
        assert fit(file) == whole[int(file.stem) :]


@pytest.mark.filterwarnings(
    "ignore:Checkpoint directory .* exists and is not empty", "ignore:Be aware that when using `ckpt_path`"
)
@pytest.mark.parametrize("first_steps", [1, 5, 8, 11, 16])
def test_raising_max_steps_after_the_end_continues(
    first_steps: int, texts: Path, toy_model: Path, tmp_path: Path
) -> None:
    def fit(max_steps: int, checkpoint: Path | None = None) -> list[list[int]]:
        saving = ModelCheckpoint(
            tmp_path, "{step}", auto_insert_metric_name=False, every_n_train_steps=1, save_top_k=-1
        )
        more: dict[str, Any] = {"callbacks": [saving], "max_epochs": -1, "max_steps": max_steps}
        return train(make_data(texts, toy_model), Recorder(), tmp_path, checkpoint, **more).shown

    first = fit(first_steps)
    assert first + fit(20, tmp_path / f"{first_steps}.ckpt") == fit(20)


@pytest.mark.parametrize("every_n_steps", [3, 100])
@pytest.mark.parametrize("settings", [{}, *SETTINGS[1:4], SETTINGS[-3], SETTINGS[-1]], ids=str)
def test_a_run_directory_that_was_killed_resumes_exactly(
    settings: dict[str, Any], every_n_steps: int, texts: Path, toy_model: Path, tmp_path: Path
) -> None:
    def fit(module: Recorder, checkpoint: Path | None = None) -> list[list[int]]:
        saving = RunDirectory(every_n_steps, monitor=None)
        more: dict[str, Any] = {"callbacks": [saving], "plugins": [CheckpointFile()]}
        return train(make_data(texts, toy_model), module, tmp_path, checkpoint, **more, **settings).shown

    whole = fit(Recorder())
    last = tmp_path / "checkpoints" / "last.ckpt"
    for stopped_at in {1, 4, 7, 8, 9, 12, len(whole) - 1} & set(range(len(whole))):
        last.unlink(missing_ok=True)
        with pytest.raises(InterruptedError):
            fit(Recorder(stopped_at))
        if not last.is_file():
            continue
        saved = torch.load(last, weights_only=True)
        taken = saved["loops"]["fit_loop"]["epoch_loop.batch_progress"]["total"]["processed"]
        assert fit(Recorder(), last) == whole[taken:]


def test_each_epoch_shows_each_text_once_and_in_another_order(texts: Path, toy_model: Path, tmp_path: Path) -> None:
    shown = train(make_data(texts, toy_model), Recorder(), tmp_path).shown
    epochs = [shown[at : at + BATCHES] for at in range(0, len(shown), BATCHES)]
    assert len(epochs) == 3
    for epoch in epochs:
        assert sorted(row for batch in epoch for row in batch) == list(range(ROWS))
    assert epochs[0] != epochs[1]


def test_shorter_epochs_of_the_trainer_still_show_every_text(texts: Path, toy_model: Path, tmp_path: Path) -> None:
    whole = train(make_data(texts, toy_model), Recorder(), tmp_path).shown
    short = train(make_data(texts, toy_model), Recorder(), tmp_path, limit_train_batches=3, max_epochs=8).shown
    assert short == whole


def test_overfit_batches_shows_the_same_batches_again(texts: Path, toy_model: Path, tmp_path: Path) -> None:
    shown = train(make_data(texts, toy_model), Recorder(), tmp_path, overfit_batches=2).shown
    assert len(shown) == 6
    assert shown[:2] == shown[2:4] == shown[4:]


def test_another_seed_is_another_order(texts: Path, toy_model: Path, tmp_path: Path) -> None:
    other = make_data(texts, toy_model)
    other.seed = 5
    shown = train(make_data(texts, toy_model), Recorder(), tmp_path, max_epochs=1).shown
    assert shown != train(other, Recorder(), tmp_path, max_epochs=1).shown
