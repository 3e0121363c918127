"""The task trains plainly and distils; its teacher stays a guest."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint
from transformers import AutoModel

from slimlit.losses import HardLabels, SoftTargets, WeightedSum
from slimlit.models import Head, Pretrained, Shrunk
from slimlit.models.network import Network
from slimlit.tasks import SequenceClassification
from slimlit.tasks.optimizers import AdamW
from tests.tasks.doubles import make_task, toy_data, toy_teacher, toy_trainer


@pytest.fixture(scope="module")
def teacher(toy_model: Path, toy_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_teacher(toy_model, toy_files, tmp_path_factory.mktemp("teacher"))


def fitted(
    student: Network,
    toy_model: Path,
    toy_files: Path,
    folder: Path,
    *,
    teacher: Network | None = None,
    loss=None,
    **trainer,
) -> SequenceClassification:  # type: ignore[no-untyped-def]
    seed_everything(1)
    task = make_task(student, teacher, loss)
    toy_trainer(folder, **trainer).fit(task, datamodule=toy_data(toy_model, toy_files))
    return task


def weights(task: SequenceClassification) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in task.student.parameters()]


def test_the_toy_teacher_reaches_the_planted_answer(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    task = make_task(Pretrained(str(teacher)))
    scores = toy_trainer(tmp_path).test(task, datamodule=toy_data(toy_model, toy_files), verbose=False)[0]
    assert scores["test/accuracy"] == 1.0
    assert scores["test/macro_f1"] == 1.0


def test_the_teacher_is_frozen_in_eval_mode_and_in_no_checkpoint(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    before = Pretrained(str(teacher)).build(Head(["negative", "positive"])).state_dict()
    task = fitted(
        Shrunk(layers=[1]), toy_model, toy_files, tmp_path, teacher=Pretrained(str(teacher)), loss=SoftTargets(),
        enable_checkpointing=True, callbacks=[ModelCheckpoint(dirpath=tmp_path / "kept", save_last=True)],
    )  # fmt: skip
    assert task.teacher is not None
    assert task.student.training
    assert not any(module.training for module in task.teacher.modules())
    after = task.teacher.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    trained = {id(weight) for group in task.trainer.optimizers[0].param_groups for weight in group["params"]}
    assert trained == {id(weight) for weight in task.student.parameters()}
    checkpoint = torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)
    assert not [name for name in checkpoint["state_dict"] if name.startswith("teacher")]
    assert "hyper_parameters" not in checkpoint


def test_a_student_equal_to_its_teacher_has_zero_soft_loss(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    task = make_task(Shrunk(layers=[1, 2], pooling="mean"), Pretrained(str(teacher)), SoftTargets())
    scores = toy_trainer(tmp_path).validate(task, datamodule=toy_data(toy_model, toy_files), verbose=False)[0]
    assert scores["validation/loss"] == pytest.approx(0.0, abs=1e-6)
    assert scores["validation/agreement"] == 1.0


def test_a_teacher_of_weight_zero_trains_bit_for_bit_plainly(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    plain = fitted(Shrunk(layers=[1], of=str(teacher)), toy_model, toy_files, tmp_path, loss=HardLabels())
    both = WeightedSum({"hard": HardLabels(), "soft": SoftTargets()}, {"hard": 1.0, "soft": 0.0})
    zero = fitted(
        Shrunk(layers=[1], of=str(teacher)), toy_model, toy_files, tmp_path, teacher=Pretrained(str(teacher)), loss=both
    )
    assert all(torch.equal(one, other) for one, other in zip(weights(plain), weights(zero), strict=True))


def test_distillation_lowers_the_distance_to_the_teacher(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    seed_everything(1)
    task = make_task(Shrunk(layers=[1]), Pretrained(str(teacher)), SoftTargets(), lr=3e-3)
    data = toy_data(toy_model, toy_files)
    before = toy_trainer(tmp_path).validate(task, datamodule=data, verbose=False)[0]
    trainer = toy_trainer(tmp_path, max_epochs=4)
    trainer.fit(task, datamodule=data)
    after = trainer.callback_metrics
    assert after["validation/loss"] < 0.5 * before["validation/loss"]
    assert after["validation/accuracy"] > 0.9


def test_training_seen_words_alone_gives_the_same_student_and_a_smaller_optimizer(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    def fit(train_words: Literal["all", "seen"]) -> tuple[SequenceClassification, int]:
        seed_everything(1)
        task = SequenceClassification(
            Shrunk(layers=[1]), Pretrained(str(teacher)), SoftTargets(),
            optimizer=lambda weights: AdamW(weights, lr=1e-3, weight_decay=0.0), train_words=train_words,
        )  # fmt: skip
        toy_trainer(tmp_path, max_epochs=2).fit(task, datamodule=toy_data(toy_model, toy_files))
        moments = [state["exp_avg"].numel() for state in task.trainer.optimizers[0].state.values()]
        return task, sum(moments)

    (whole, many), (part, few) = fit("all"), fit("seen")
    expected, found = whole.student.state_dict(), part.student.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert few < many
    part.export_student(tmp_path / "student")
    again = Pretrained(str(tmp_path / "student")).build(Head(["negative", "positive"])).state_dict()
    assert all(torch.equal(again[name], expected[name]) for name in expected)


def test_accumulated_small_batches_take_the_same_first_step_as_one_large_batch(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    student = Pretrained(str(toy_model), pooling="attention")

    def after_one_step(batch_size: int, accumulate: int) -> list[torch.Tensor]:
        seed_everything(2)
        task = make_task(student)
        data = toy_data(toy_model, toy_files, batch_size=batch_size)
        data.setup("fit")
        whole = data.splits["train"].batch(list(range(16)))
        task.trainer = toy_trainer(tmp_path)
        task.trainer.datamodule = data
        task.setup("fit")
        task.configure_model()
        task.eval()
        for start in range(0, 16, batch_size):
            part = {name: value[start : start + batch_size] for name, value in whole.items()}
            (task.training_step(part, 0) / accumulate).backward()  # type: ignore[arg-type]
        return [weight.grad.clone() for weight in task.student.parameters() if weight.grad is not None]

    one, eight = after_one_step(16, 1), after_one_step(2, 8)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(one, eight, strict=True))


def test_teachers_that_do_not_fit_are_refused_before_any_weight_is_loaded(
    teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SequenceClassification, "networks", lambda self: pytest.fail("weights were loaded"))
    data = toy_data(toy_model, toy_files, labels=["positive", "negative"])
    other_order = make_task(Shrunk(layers=[1]), Pretrained(str(teacher)), SoftTargets())
    with pytest.raises(ValueError, match="teacher and data differ in their classes"):
        toy_trainer(tmp_path).fit(other_order, datamodule=data)
    untrained = make_task(Shrunk(layers=[1]), Pretrained(str(toy_model)), SoftTargets())
    with pytest.raises(ValueError, match="no trained sequence classification head"):
        toy_trainer(tmp_path).fit(untrained, datamodule=toy_data(toy_model, toy_files))
    too_long = make_task(Pretrained(str(toy_model)))
    with pytest.raises(ValueError, match="positions for 64 tokens|max_length"):
        toy_trainer(tmp_path).fit(too_long, datamodule=toy_data(toy_model, toy_files, max_length=100))
    with pytest.raises(ValueError, match="compares with a teacher and there is none"):
        make_task(Pretrained(str(toy_model)), None, SoftTargets())


def test_frozen_parts_stay_as_they_are(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    seed_everything(1)
    task = SequenceClassification(Pretrained(str(toy_model), pooling="attention"), freeze=["encoder.embeddings"])
    toy_trainer(tmp_path, max_steps=3).fit(task, datamodule=toy_data(toy_model, toy_files))
    before = AutoModel.from_pretrained(toy_model, add_pooling_layer=False).state_dict()
    for name, weight in task.student.encoder.state_dict().items():
        assert torch.equal(weight, before[name]) == name.startswith("embeddings"), name
    assert not any(module.training for module in task.student.encoder.embeddings.modules())
    assert task.student.encoder.encoder.layer[0].training  # the rest trains, dropout and all
    wrong = SequenceClassification(Pretrained(str(toy_model)), freeze=["encoder.embedings"])
    with pytest.raises(ValueError, match=r"did you mean 'encoder.embeddings'"):
        toy_trainer(tmp_path, max_steps=3).fit(wrong, datamodule=toy_data(toy_model, toy_files))
