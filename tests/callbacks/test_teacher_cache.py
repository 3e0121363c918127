"""With a TeacherCache the teacher runs once, training is the same, and nothing wrong is ever used."""

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from lightning.pytorch import seed_everything

from slimlit.callbacks.teacher_cache import TeacherCache
from slimlit.losses import HardLabels, HiddenStates, Loss, PoolingWeights, SoftTargets, TokenShares, WeightedSum
from slimlit.models import Head, Pretrained, Shrunk
from slimlit.tasks import SequenceClassification
from slimlit.types import Batch
from tests.tasks.doubles import make_task, toy_data, toy_teacher, toy_trainer


@pytest.fixture(scope="module")
def teacher(toy_model: Path, toy_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_teacher(toy_model, toy_files, tmp_path_factory.mktemp("teacher"), epochs=1)


class Distilling:
    """Runs of the same distillation, with and without a cache."""

    def __init__(self, model: Path, files: Path, teacher: Path, folder: Path) -> None:
        self.model, self.files, self.teacher, self.folder = model, files, teacher, folder
        self.forwards = 0

    def loss(self) -> Loss:
        parts = {"hard": HardLabels(), "soft": SoftTargets(), "states": HiddenStates(pairs=[(1, 2)])}
        return WeightedSum(parts, dict.fromkeys(parts, 1.0))

    def task(self) -> SequenceClassification:
        return make_task(Shrunk(layers=[1]), Pretrained(str(self.teacher)), self.loss())

    def fit(self, *callbacks: Any, **trainer: Any) -> SequenceClassification:
        seed_everything(1)
        task = self.task()
        settings = {"max_epochs": 2, "callbacks": [*self.counting(), *callbacks], **trainer}
        toy_trainer(self.folder, **settings).fit(task, datamodule=toy_data(self.model, self.files))
        return task

    def counting(self) -> list[Any]:
        from lightning.pytorch import Callback, LightningModule, Trainer

        runs = self

        class Count(Callback):
            def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
                runs.forwards = 0

            def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
                assert isinstance(pl_module, SequenceClassification)
                assert pl_module.teacher is not None
                pl_module.teacher.register_forward_pre_hook(self.count)

            def count(self, module: torch.nn.Module, inputs: Any) -> None:
                runs.forwards += 1

        return [Count()]


@pytest.fixture
def distilling(toy_model: Path, toy_files: Path, teacher: Path, tmp_path: Path) -> Distilling:
    return Distilling(toy_model, toy_files, teacher, tmp_path)


@pytest.mark.parametrize("pooling", ["mean", "attention"])
def test_reasons_are_kept_as_the_live_teacher_gives_them(
    toy_model: Path, toy_files: Path, tmp_path: Path, pooling: Literal["mean", "attention"]
) -> None:
    seed_everything(1)
    parts: dict[str, Loss] = {"shares": TokenShares()} | ({"pooling": PoolingWeights()} if pooling != "mean" else {})
    task = make_task(Shrunk(layers=[1], pooling="attention"), Pretrained(str(toy_model), pooling), WeightedSum(parts))
    task.teacher_network.is_trained_for = lambda head: True  # type: ignore[union-attr, method-assign]
    keeper = cache(tmp_path)
    toy_trainer(tmp_path, callbacks=[keeper], max_steps=2).fit(task, datamodule=toy_data(toy_model, toy_files))
    batch = task.trainer.datamodule.splits["validation"].batch([2, 0, 1])  # type: ignore[attr-defined]
    kept = keeper.outputs["validation"].rows(batch["example_id"], batch["input_ids"].shape[1])
    live = task.ask_teacher(batch, task.teacher_needs)
    assert live.shares is not None
    torch.testing.assert_close(kept.shares, live.shares)
    assert (kept.pooling_weights is None) == (pooling == "mean")
    if kept.pooling_weights is not None:
        torch.testing.assert_close(kept.pooling_weights, live.pooling_weights)


def weights(task: SequenceClassification) -> list[torch.Tensor]:
    return [weight.detach() for weight in [*task.student.parameters(), *task.loss.parameters()]]


def same(first: SequenceClassification, second: SequenceClassification) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def cache(tmp_path: Path) -> TeacherCache:
    return TeacherCache(str(tmp_path / "cache"))


def test_training_with_a_fresh_cache_and_with_one_read_again_is_the_same_bit_for_bit(
    distilling: Distilling, tmp_path: Path
) -> None:
    fresh = distilling.fit(cache(tmp_path))
    again = distilling.fit(cache(tmp_path))
    assert same(fresh, again)


def test_training_with_a_cache_is_training_with_the_live_teacher_within_rounding(
    distilling: Distilling, tmp_path: Path
) -> None:
    live = distilling.fit()
    assert distilling.forwards > 0
    cached = distilling.fit(cache(tmp_path))
    for a, b in zip(weights(live), weights(cached), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_the_teacher_never_runs_in_later_epochs_and_later_runs(distilling: Distilling, tmp_path: Path) -> None:
    distilling.fit(cache(tmp_path))
    once = distilling.forwards
    assert once == 320 // 64 + 1  # both splits, 64 examples at a time
    distilling.fit(cache(tmp_path), max_epochs=1)
    assert distilling.forwards == 0


def test_the_batch_carries_what_the_live_teacher_says(distilling: Distilling, tmp_path: Path) -> None:
    from lightning.pytorch import Callback, LightningModule, Trainer

    seen = []

    class Compare(Callback):
        def on_train_batch_start(
            self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
        ) -> None:
            assert isinstance(pl_module, SequenceClassification)
            cached = batch.pop("teacher")
            live = pl_module.read_teacher(batch, pl_module.loss.teacher_needs)
            assert live is not None
            mask = batch["attention_mask"].bool()
            assert torch.allclose(cached.logits, live.logits, atol=1e-5)
            assert torch.allclose(cached.hidden_states[2][mask], live.hidden_states[2][mask], atol=1e-5)
            seen.append(len(mask))

    distilling.fit(cache(tmp_path), Compare(), max_epochs=1)
    assert sum(seen) == 320


def test_filling_a_cache_draws_no_random_numbers(distilling: Distilling, tmp_path: Path) -> None:
    from lightning.pytorch import Callback, LightningModule, Trainer

    class Watch(Callback):
        def __init__(self) -> None:
            self.states: list[torch.Tensor] = []

        def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.states.append(torch.random.get_rng_state())

    class WatchAgain(Watch):
        pass

    before, after = Watch(), WatchAgain()
    distilling.fit(before, cache(tmp_path), after, max_steps=1)
    assert torch.equal(before.states[0], after.states[0])


def test_testing_fills_the_test_split_and_reads_it_again(
    distilling: Distilling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("computed 64 test examples in", "read 64 test examples from"):
        trainer = toy_trainer(tmp_path, callbacks=[cache(tmp_path)])
        trainer.test(distilling.task(), datamodule=toy_data(distilling.model, distilling.files), verbose=False)
        assert f"teacher outputs: {word}" in capsys.readouterr().out
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_user_is_told_what_was_computed_and_what_was_read(
    distilling: Distilling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    distilling.fit(cache(tmp_path), max_steps=1)
    said = capsys.readouterr().out
    assert "teacher outputs: computed 320 train examples in" in said
    distilling.fit(cache(tmp_path), max_steps=1)
    assert "teacher outputs: read 64 validation examples from" in capsys.readouterr().out


def test_another_teacher_fills_another_folder(distilling: Distilling, tmp_path: Path) -> None:
    distilling.fit(cache(tmp_path), max_steps=1)
    model = Pretrained(str(distilling.teacher)).build(Head(["negative", "positive"]))
    with torch.no_grad():
        next(iter(model.parameters())).add_(1e-3)
    model.save_pretrained(tmp_path / "other")
    Pretrained(str(distilling.teacher))
    for file in distilling.teacher.glob("tokenizer*"):
        (tmp_path / "other" / file.name).write_bytes(file.read_bytes())
    distilling.teacher = tmp_path / "other"
    distilling.fit(cache(tmp_path), max_steps=1)
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_other_precision_fills_another_folder(distilling: Distilling, tmp_path: Path) -> None:
    distilling.fit(cache(tmp_path), max_steps=1)
    distilling.fit(cache(tmp_path), max_steps=1, precision="bf16-mixed")
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_training_in_bfloat16_is_the_same_with_a_fresh_cache_and_one_read_again(
    distilling: Distilling, tmp_path: Path
) -> None:
    fresh = distilling.fit(cache(tmp_path), precision="bf16-mixed", max_epochs=1)
    again = distilling.fit(cache(tmp_path), precision="bf16-mixed", max_epochs=1)
    assert same(fresh, again)


def test_a_damaged_cache_stops_the_run(distilling: Distilling, tmp_path: Path) -> None:
    distilling.fit(cache(tmp_path), max_steps=1)
    for array in (tmp_path / "cache").glob("*/logits.npy"):
        array.write_bytes(array.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ValueError, match="wrong or damaged and will not be used"):
        distilling.fit(cache(tmp_path), max_steps=1)


def test_texts_that_change_between_epochs_are_refused(distilling: Distilling, tmp_path: Path) -> None:
    from lightning.pytorch import Callback, LightningModule, Trainer

    class Augment(Callback):
        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            trainer.datamodule.splits["train"].fingerprint = "other words"  # type: ignore[attr-defined]

    with pytest.raises(ValueError, match="training texts changed between epochs"):
        distilling.fit(Augment(), cache(tmp_path))


def test_without_a_teacher_it_warns_that_it_has_no_effect(distilling: Distilling, tmp_path: Path) -> None:
    task = make_task(Pretrained(str(distilling.model), pooling="attention"))
    data = toy_data(distilling.model, distilling.files)
    trainer = toy_trainer(tmp_path, callbacks=[cache(tmp_path)], max_steps=1)
    with pytest.warns(UserWarning, match="TeacherCache has no effect: the task has no teacher"):
        trainer.fit(task, datamodule=data)


def test_a_cache_used_again_for_a_task_without_a_teacher_puts_nothing_into_the_batch(
    distilling: Distilling, tmp_path: Path
) -> None:
    used = cache(tmp_path)
    distilling.fit(used, max_steps=1)
    trainer = toy_trainer(tmp_path, callbacks=[used], max_steps=1)
    with pytest.warns(UserWarning, match="no effect"):
        trainer.fit(
            make_task(Pretrained(str(distilling.model))), datamodule=toy_data(distilling.model, distilling.files)
        )
    assert used.outputs == {}


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"TeacherCache.batch_size is 0; expected 1 or more"):
        TeacherCache(batch_size=0)
