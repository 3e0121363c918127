"""Language models interrupted and resumed, or on two processes, are those of one run: what is hidden included."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy

from slimlit.callbacks.checkpoint_file import CheckpointFile
from slimlit.callbacks.run_directory import RunDirectory
from slimlit.tasks import CausalLM, MaskedLM
from tests.callbacks.test_differential_privacy import Interrupt, Save, StopError
from tests.callbacks.test_private_language_models import still
from tests.tasks.language_models import fit, make, text_data


class Watch(Callback):
    """Keeps what every batch asks."""

    def __init__(self) -> None:
        self.asked: list[torch.Tensor] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.asked.append(batch["labels"])


def run(
    masked: bool, text: Path, model: Path, folder: Path, *callbacks: Callback, **settings: Any
) -> CausalLM | MaskedLM:
    task = make(still("bert" if masked else "llama", model), masked=masked)
    data = text_data(text, model, masked)
    basic = {"max_steps": 9, "max_epochs": -1, "enable_checkpointing": True, "plugins": [CheckpointFile()]}
    start = {"ckpt_path": settings.pop("ckpt_path")} if "ckpt_path" in settings else {}
    from lightning.pytorch import seed_everything

    from tests.tasks.doubles import toy_trainer

    seed_everything(1)
    directory = RunDirectory(every_n_steps=3)
    trainer = toy_trainer(folder, **{**basic, **settings, "callbacks": [*callbacks, directory]})
    trainer.fit(task, datamodule=data, **start)
    return task


@pytest.mark.parametrize("masked", [False, True])
def test_a_run_resumed_is_the_run_not_interrupted(
    masked: bool, toy_text: Path, toy_model: Path, tmp_path: Path
) -> None:
    whole_asked, cut_asked, rest_asked = Watch(), Watch(), Watch()
    whole = run(masked, toy_text, toy_model, tmp_path / "whole", whole_asked)
    with pytest.raises(StopError):
        run(masked, toy_text, toy_model, tmp_path / "cut", cut_asked, Interrupt(7))
    last = str(tmp_path / "cut" / "checkpoints" / "last.ckpt")
    again = run(masked, toy_text, toy_model, tmp_path / "cut", rest_asked, ckpt_path=last)
    for (name, one), (_, other) in zip(whole.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    first = 9 - len(rest_asked.asked)
    assert 0 < first < 9
    for number, labels in enumerate([*cut_asked.asked[:first], *rest_asked.asked]):
        assert torch.equal(labels, whole_asked.asked[number])
    if masked:  # over two epochs, other words are hidden
        assert len({labels.numpy().tobytes() for labels in whole_asked.asked}) == 9


def test_two_processes_hide_the_same_words_and_give_the_weights_and_scores_of_one(
    toy_text: Path, toy_model: Path, tmp_path: Path
) -> None:
    found, scores = [], []
    for devices in (1, 2):
        strategy = DDPStrategy(process_group_backend="gloo", start_method="forkserver") if devices == 2 else "auto"
        file = tmp_path / f"{devices}.pt"
        task = make(still("bert", toy_model), masked=True, lr=1e-4)
        settings = {"devices": devices, "strategy": strategy, "max_epochs": 1, "callbacks": [Save(str(file))]}
        trainer = fit(task, text_data(toy_text, toy_model, True), tmp_path / str(devices), **settings)
        found.append(torch.cat([part.flatten() for part in torch.load(file).values()]))
        scores.append({name: float(value) for name, value in trainer.callback_metrics.items() if "validation" in name})
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)
    assert scores[0]["validation/perplexity"] == pytest.approx(scores[1]["validation/perplexity"], rel=1e-4)
