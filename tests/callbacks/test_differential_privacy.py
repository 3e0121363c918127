"""One more callback and training is private: what it computes, what it refuses, what others see, and what is written down."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import GradientAccumulationScheduler
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from transformers import AutoModel

from slimlit.callbacks.attention_maps import AttentionMaps
from slimlit.callbacks.differential_privacy import DifferentialPrivacy
from slimlit.callbacks.evaluation_report import EvaluationReport
from slimlit.callbacks.refusals import problems
from slimlit.callbacks.teacher_cache import TeacherCache
from slimlit.data import Dialogues, LanguageModelling, Tagging
from slimlit.losses import AttentionRelations, HardLabels, HiddenStates, Loss, SoftTargets, WeightedSum
from slimlit.models import Pretrained, Shrunk
from slimlit.privacy.journal import Journal
from slimlit.privacy.noise import add_noise
from slimlit.tasks import SequenceClassification
from slimlit.types import Batch, Output
from tests.tasks.doubles import make_task, toy_data, toy_teacher, toy_trainer

SECRET = 5


class Spy(Callback):
    """Keeps every gradient that hooks can see, and the batches."""

    def __init__(self) -> None:
        self.before: list[int] = []
        self.batches: list[Batch] = []
        self.gradients: list[dict[str, Tensor]] = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self.batches.append(batch)

    def on_after_backward(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.before.append(sum(parameter.grad is not None for parameter in pl_module.parameters()))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        self.gradients.append({n: p.grad.clone() for n, p in pl_module.named_parameters() if p.grad is not None})


def fit(
    model: Path,
    files: Path,
    folder: Path,
    private: DifferentialPrivacy,
    *callbacks: Callback,
    task: SequenceClassification | None = None,
    data: dict[str, Any] | None = None,
    **trainer: Any,
) -> Trainer:
    seed_everything(1)
    task = task or make_task(Pretrained(str(model), pooling="attention"))
    made = toy_trainer(folder, callbacks=[private, *callbacks], **trainer)
    made.fit(task, datamodule=toy_data(model, files, **(data or {})))
    return made


class Noiseless(DifferentialPrivacy):
    """To look at the sums."""

    def noise(self, sums: dict[str, Tensor], key: bytes) -> None:
        add_noise(sums, 0.0, key, divisor=self.expected)


class WithoutDropout(SequenceClassification):
    def configure_model(self) -> None:
        super().configure_model()
        for module in self.student.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0


def without_dropout(model: Path) -> SequenceClassification:
    return WithoutDropout(Pretrained(str(model), pooling="attention"), None, None)


class Build(Callback):
    """Keeps the weights training begins with."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.student = copy.deepcopy(pl_module.student)


def test_the_gradient_is_the_clipped_sum_over_the_expected_batch(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    spy, build = Spy(), Build()
    private = Noiseless(noise_multiplier=1.0, max_grad_norm=0.5, physical_batch_size=7, seed=SECRET)
    settings = {"data": {"batch_size": 8}, "accumulate_grad_batches": 2, "max_steps": 1}
    task = without_dropout(toy_model)
    fit(toy_model, toy_files, tmp_path, private, spy, build, task=task, **settings)
    assert private.expected == 16
    assert len(spy.batches) == private.num_parts > 2
    student = build.student.requires_grad_(True)
    wanted: dict[str, Tensor] = {}
    for batch in spy.batches:
        for row in range(len(batch["labels"])):
            tokens, mask = batch["input_ids"][row : row + 1], batch["attention_mask"][row : row + 1]
            logits = student(input_ids=tokens, attention_mask=mask).logits
            loss = nn.functional.cross_entropy(logits, batch["labels"][row : row + 1])
            names, parameters = zip(*student.named_parameters(), strict=True)
            single = torch.autograd.grad(loss, parameters)
            scale = min(1.0, 0.5 / float(sum(part.square().sum() for part in single)) ** 0.5) / 16
            for name, part in zip(names, single, strict=True):
                wanted[name] = wanted.get(name, torch.zeros_like(part)) + part * scale
    for name, part in wanted.items():
        assert torch.allclose(spy.gradients[0][f"student.{name}"], part, rtol=1e-4, atol=1e-7), name


def test_nobody_sees_a_gradient_without_noise(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    early, late = Spy(), Spy()
    private = DifferentialPrivacy(noise_multiplier=2.0, max_grad_norm=1e-6, physical_batch_size=8)
    seed_everything(1)
    task = make_task(Pretrained(str(toy_model), pooling="attention"))
    toy_trainer(tmp_path, callbacks=[early, private, late], max_steps=3).fit(
        task, datamodule=toy_data(toy_model, toy_files)
    )
    assert set(early.before) == set(late.before) == {0}
    assert all(not seen for seen in early.gradients)
    flat = [torch.cat([part.flatten() for part in seen.values()]) * 16 / 1e-6 for seen in late.gradients]
    for noise in flat:  # the clipped sum is at most 1e-6 times some 16 and spread over all numbers
        assert float(noise.std()) == pytest.approx(2.0, rel=0.02)
    assert abs(float(torch.corrcoef(torch.stack(flat[:2]))[0, 1])) < 0.05
    assert all(parameter.grad is None and parameter.requires_grad for parameter in task.student.parameters())


def test_the_journal_has_every_step_and_the_secret_is_gone_at_the_end(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(epsilon=4.0), max_epochs=2)
    journal = Journal(tmp_path / "private")
    steps = [line["step"] for line in journal.lines() if "step" in line]
    assert steps == list(range(len(steps)))
    assert journal.stages()[0].num_steps == len(steps) > 10
    assert not (tmp_path / "private" / "secret").exists()
    tags = [line["tag"] for line in journal.lines() if "step" in line]
    assert len(set(tags)) == len(tags)


class StopError(Exception):
    pass


class Interrupt(Callback):
    def __init__(self, at: int) -> None:
        self.at = at

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.at:
            raise StopError


def test_a_run_resumed_is_the_run_not_interrupted_and_costs_no_more(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    from slimlit.callbacks.checkpoint_file import CheckpointFile
    from slimlit.callbacks.run_directory import RunDirectory

    def run(folder: Path, *callbacks: Callback, **settings: Any) -> SequenceClassification:
        seed_everything(1)
        task = make_task(Pretrained(str(toy_model), pooling="attention"))
        private = DifferentialPrivacy(epsilon=4.0, physical_batch_size=8)
        directory = RunDirectory(every_n_steps=3, monitor=None)
        trainer = toy_trainer(
            folder,
            callbacks=[private, *callbacks, directory],
            plugins=[CheckpointFile()],
            enable_checkpointing=True,
            max_steps=8,
            max_epochs=-1,
        )
        trainer.fit(task, datamodule=toy_data(toy_model, toy_files), **settings)
        return task

    secret = Journal(tmp_path / "whole" / "private").secret()
    whole = run(tmp_path / "whole")
    cut = Journal(tmp_path / "cut" / "private")
    cut.secret()
    (cut.folder / "secret").write_bytes(secret)
    with pytest.raises(StopError):
        run(tmp_path / "cut", Interrupt(5))
    again = run(tmp_path / "cut", ckpt_path=str(tmp_path / "cut" / "checkpoints" / "last.ckpt"))
    for (name, one), (_, other) in zip(whole.named_parameters(), again.named_parameters(), strict=True):
        assert torch.equal(one, other), name
    repeated = [line["step"] for line in cut.lines() if "step" in line]
    assert len(repeated) == 10  # steps 3 and 4 twice
    assert [stage.num_steps for stage in cut.stages()] == [8]
    ledgers = [json.loads((tmp_path / name / "privacy.json").read_text()) for name in ("whole", "cut")]
    assert [ledger["data"][0]["epsilon"] for ledger in ledgers] == [ledgers[0]["data"][0]["epsilon"]] * 2
    assert ledgers[0]["data"][0]["epsilon"] <= 4.0


@pytest.mark.parametrize("kind", [Noiseless, DifferentialPrivacy])
def test_two_processes_make_the_sum_of_one_and_one_noise(
    kind: type[DifferentialPrivacy], toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    found = []
    for devices in (1, 2):
        strategy = DDPStrategy(process_group_backend="gloo", start_method="forkserver") if devices == 2 else "auto"
        private = kind(noise_multiplier=1.0, physical_batch_size=5, seed=SECRET)
        file = tmp_path / f"{devices}.pt"
        seed_everything(1)
        toy_trainer(
            tmp_path / str(devices),
            devices=devices,
            strategy=strategy,
            max_steps=1,
            limit_val_batches=0,
            callbacks=[private, Save(str(file))],
        ).fit(without_dropout(toy_model), datamodule=toy_data(toy_model, toy_files))
        found.append(torch.cat([part.flatten() for part in torch.load(file).values()]))
    one, two = found
    if kind is Noiseless:
        assert float((one - two).norm() / one.norm()) < 1e-5
    else:  # keyed by the last bits of the sums, so another draw of the same size
        assert float(one.std()) == pytest.approx(float(two.std()), rel=0.03)


class Save(Callback):
    """Writes the gradient of the first step."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        if trainer.is_global_zero:
            torch.save({n: p.grad.clone() for n, p in pl_module.named_parameters() if p.grad is not None}, self.path)


@pytest.fixture(scope="module")
def teacher(toy_model: Path, toy_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_teacher(toy_model, toy_files, tmp_path_factory.mktemp("teacher"), epochs=1)


@pytest.mark.parametrize("cached", [False, True])
def test_distillation_with_every_loss_and_empty_batches(
    cached: bool, teacher: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    parts = {
        "hard": HardLabels(),
        "soft": SoftTargets(),
        "states": HiddenStates([(1, 2)]),
        "relations": AttentionRelations(1, 2, relation_heads=2),
    }
    task = make_task(
        Shrunk(layers=[1], hidden_size=16), Pretrained(str(teacher)), WeightedSum(parts, dict.fromkeys(parts, 1.0))
    )
    private = DifferentialPrivacy(noise_multiplier=1.0, physical_batch_size=1)
    spy = Spy()
    cache = [TeacherCache(str(tmp_path / "cache"))] if cached else []
    fit(
        toy_model, toy_files, tmp_path, private, *cache, spy, task=task, max_steps=6, data={"batch_size": 1},
        precision="bf16-mixed",
    )  # fmt: skip
    empty = [batch for batch in spy.batches if int(batch["example_id"][0]) < 0]
    assert empty
    assert all(batch["input_ids"].shape == (1, 1) for batch in empty)
    assert len(spy.gradients) == 6
    assert any("projections" in name for name in spy.gradients[0])
    assert all(torch.isfinite(part).all() for seen in spy.gradients for part in seen.values())


class Coupled(Loss):
    """Divides by the tokens of the whole batch, as Hugging Face's language-model loss does."""

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Tensor:
        each = nn.functional.cross_entropy(student.logits, batch["labels"], reduction="none")
        return each * len(each) * 10 / batch["attention_mask"].sum()


class Averaged(Loss):
    """One number a batch."""

    def parts(self, student: Output, teacher: Output | None, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self(student, teacher, batch)}

    def combine(self, parts: dict[str, Tensor]) -> Tensor:
        return parts["loss"]

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> Tensor:
        return nn.functional.cross_entropy(student.logits, batch["labels"])


@pytest.mark.parametrize(
    ("settings", "trainer", "said"),
    [
        ({"loss": Coupled()}, {}, "ties the examples of a batch together"),
        ({"loss": Averaged()}, {}, "one number an example"),
        ({}, {"gradient_clip_val": 1.0}, "gradient_clip_val"),
        ({}, {"precision": "bf16-true"}, "precision bf16-true"),
        ({}, {"overfit_batches": 2}, "overfit_batches"),
        ({"optimizer": torch.optim.LBFGS}, {}, "LBFGS"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_cannot_be_private_is_refused(
    settings: dict[str, Any], trainer: dict[str, Any], said: str, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    from slimlit.tasks.optimizers import AdamW

    arguments = {"loss": None, "optimizer": AdamW, **settings}
    task = SequenceClassification(Pretrained(str(toy_model), pooling="attention"), None, **arguments)
    with pytest.raises(ValueError, match=said):
        fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(noise_multiplier=1.0), task=task, **trainer)


def test_data_of_another_kind_is_refused_with_the_modules_that_can_be_sampled(
    toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    trainer, task = toy_trainer(tmp_path), without_dropout(toy_model)
    trainer.datamodule = LightningDataModule()
    assert list(problems(trainer, task)) == [
        "LightningDataModule cannot be sampled example by example\n"
        "use a data module of slimlit.data, or subclass slimlit.data.TextModule"
    ]
    trainer.datamodule = toy_data(toy_model, toy_files)
    assert not list(problems(trainer, task))
    assert all(hasattr(made("x", "x", batch_size=1), "draw") for made in (Dialogues, LanguageModelling, Tagging))


class Normed(SequenceClassification):
    """With BatchNorm in the student, or a parameter nobody registered."""

    extra = False

    def configure_model(self) -> None:
        super().configure_model()
        if self.extra:
            self.hidden = [nn.Parameter(torch.ones(3))]
        else:
            self.student.norm = nn.BatchNorm1d(4)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD([*self.student.parameters(), *getattr(self, "hidden", [])], lr=0.1)


@pytest.mark.parametrize(("extra", "said"), [(False, "BatchNorm"), (True, "neither the student's nor the loss's")])
def test_batch_norm_and_parameters_out_of_sight_are_refused(
    extra: bool, said: str, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    task = Normed(Pretrained(str(toy_model), pooling="attention"), None, None)
    task.extra = extra
    with pytest.raises(ValueError, match=said):
        fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(noise_multiplier=1.0), task=task)


@pytest.mark.parametrize(
    "settings",
    [{}, {"epsilon": 1.0, "noise_multiplier": 1.0}, {"epsilon": -1.0}, {"epsilon": 1.0, "max_grad_norm": 0.0}],
)
def test_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="DifferentialPrivacy"):
        DifferentialPrivacy(**settings)


def test_a_run_that_began_without_privacy_cannot_get_it(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    seed_everything(1)
    trainer = toy_trainer(tmp_path, max_steps=5)
    trainer.fit(make_task(Pretrained(str(toy_model), pooling="attention")), datamodule=toy_data(toy_model, toy_files))
    trainer.save_checkpoint(tmp_path / "plain.ckpt")
    with pytest.raises(ValueError, match="0 of them are known to be private"):
        toy_trainer(tmp_path, max_epochs=3, callbacks=[DifferentialPrivacy(noise_multiplier=1.0)]).fit(
            make_task(Pretrained(str(toy_model), pooling="attention")),
            datamodule=toy_data(toy_model, toy_files),
            ckpt_path=tmp_path / "plain.ckpt",
        )


def test_more_steps_than_epsilon_allows_are_refused(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(epsilon=3.0), max_steps=4)
    with pytest.raises(ValueError, match="3 was asked for"):
        fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(epsilon=3.0), max_steps=400, max_epochs=-1)


def test_words_nobody_wrote_are_trained_too(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    task = SequenceClassification(Pretrained(str(toy_model), pooling="attention"), train_words="seen")
    fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(noise_multiplier=1.0), task=task, max_steps=1)
    words = AutoModel.from_pretrained(toy_model).get_input_embeddings().weight
    moved = (task.student.get_input_embeddings().weight != words).any(dim=1)  # type: ignore[operator]
    assert moved.all()


def test_groups_are_protected_whole(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    lines = (toy_files / "train.csv").read_text().splitlines()
    authors = ["author", *(f"a{row % 20}" for row in range(len(lines) - 1))]
    (tmp_path / "train.csv").write_text(
        "".join(f"{line},{author}\n" for line, author in zip(lines, authors, strict=True))
    )
    spy = Spy()
    private = Noiseless(
        noise_multiplier=1.0, max_grad_norm=1e-4, group_column="author", examples_per_group=3, seed=SECRET
    )
    seed_everything(1)
    data = toy_data(toy_model, toy_files, batch_size=4)
    data.sources["train"] = str(tmp_path / "train.csv")
    trainer = toy_trainer(tmp_path, callbacks=[private, spy], max_steps=4)
    trainer.fit(without_dropout(toy_model), datamodule=data)
    assert private.num_units == 20
    assert private.expected == 4
    most = 0
    for step, gradient in enumerate(spy.gradients):
        rows = torch.cat(
            [b["example_id"] for b in spy.batches[step * private.num_parts : (step + 1) * private.num_parts]]
        )
        groups, counts = torch.unique(rows[rows >= 0] % 20, return_counts=True)
        most = max(most, *counts.tolist())
        norm = sum(float(part.square().sum()) for part in gradient.values()) ** 0.5
        assert norm <= 1e-4 * len(groups) / 4 * (1 + 1e-5)
    assert most == 3
    mechanism = Journal(tmp_path / "private").mechanism()
    assert mechanism is not None
    assert (mechanism.unit, mechanism.num_units, mechanism.sample_rate) == ("author", 20, 0.2)
    with pytest.raises(ValueError, match="no column 'writer'"):
        data.groups("writer")


def test_a_private_run_shows_no_text_but_public_ones(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    def fit_showing(folder: Path, maps: AttentionMaps) -> Trainer:
        task = SequenceClassification(Pretrained(str(toy_model), pooling="attention"))
        privacy = DifferentialPrivacy(noise_multiplier=1.0, seed=0)
        trainer = toy_trainer(folder, callbacks=[privacy, maps, EvaluationReport()], max_steps=2)
        trainer.fit(task, datamodule=toy_data(toy_model, toy_files))
        trainer.test(task, datamodule=task.trainer.datamodule, verbose=False)  # type: ignore[attr-defined]
        assert not any("examples_per_second" in name for name in trainer.logged_metrics)
        return trainer

    silent = tmp_path / "silent"
    splits = fit_showing(silent, AttentionMaps()).datamodule.splits  # type: ignore[attr-defined]
    assert not (silent / "attention").exists()
    fit_showing(tmp_path / "public", AttentionMaps(texts=["a public sentence", "another one"]))
    drawn = list((tmp_path / "public" / "attention").glob("*/*.svg"))
    assert {path.name for path in drawn} == {"example-00000.svg", "example-00001.svg", "heads.svg"}
    texts = [text for split in splits.values() for text in split.texts]
    for file in [path for path in tmp_path.rglob("*") if path.is_file()]:
        content = file.read_text(encoding="utf-8", errors="replace")
        assert not any(text in content for text in texts), file


def test_a_step_is_one_whole_sample_or_it_is_refused(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    class Impatient(Callback):
        """Makes steps of half a sample, as nobody foresaw."""

        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            trainer.accumulate_grad_batches = 1

    private = DifferentialPrivacy(noise_multiplier=1.0, physical_batch_size=4, seed=SECRET)
    with pytest.raises(ValueError, match=r"after 1 parts of a sample; expected all \d"):
        fit(toy_model, toy_files, tmp_path / "a", private, Impatient(), max_steps=3)
    scheduler = GradientAccumulationScheduler({0: 4})
    with pytest.raises(ValueError, match="several samples into a step"):
        fit(toy_model, toy_files, tmp_path / "b", DifferentialPrivacy(noise_multiplier=1.0, seed=SECRET), scheduler)


def test_a_share_of_an_epoch_is_whole_steps(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    private = DifferentialPrivacy(noise_multiplier=1.0, physical_batch_size=4, seed=SECRET)
    trainer = fit(toy_model, toy_files, tmp_path, private, max_epochs=2, limit_train_batches=0.1)
    assert private.num_parts > 1
    assert trainer.global_step == 2 * int(0.1 * private.num_steps) > 2


def test_a_checkpoint_of_steps_without_privacy_is_refused(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    """Even where a private run was killed and its journal is ahead of the checkpoint that others made."""

    def private() -> DifferentialPrivacy:
        return DifferentialPrivacy(noise_multiplier=1.0, seed=SECRET)

    fit(toy_model, toy_files, tmp_path, private(), max_steps=6)
    assert Journal(tmp_path / "private").num_steps() == 6
    made = toy_trainer(tmp_path, max_steps=4)
    made.fit(without_dropout(toy_model), datamodule=toy_data(toy_model, toy_files))
    made.save_checkpoint(tmp_path / "plain.ckpt")
    again = toy_trainer(tmp_path, callbacks=[private()], max_epochs=2)
    task = without_dropout(toy_model)
    with pytest.raises(ValueError, match="0 of them are known to be private"):
        again.fit(task, datamodule=toy_data(toy_model, toy_files), ckpt_path=str(tmp_path / "plain.ckpt"))


@pytest.mark.parametrize(
    ("changed", "named"), [({"noise_multiplier": 2.0}, "noise multiplier"), ({"max_grad_norm": 0.5}, "max grad norm")]
)
def test_a_run_goes_on_as_it_began(
    changed: dict[str, float], named: str, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"noise_multiplier": 1.0, "seed": SECRET}
    made = fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(**settings), max_steps=3)
    made.save_checkpoint(tmp_path / "last.ckpt")
    again = toy_trainer(tmp_path, callbacks=[DifferentialPrivacy(**{**settings, **changed})], max_epochs=2)
    with pytest.raises(ValueError, match=f"began with {named}"):
        again.fit(
            without_dropout(toy_model), datamodule=toy_data(toy_model, toy_files), ckpt_path=str(tmp_path / "last.ckpt")
        )


def test_a_delta_that_gives_whole_examples_away_is_refused(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole\nexample may be given away"):
        fit(toy_model, toy_files, tmp_path, DifferentialPrivacy(epsilon=3.0, delta=0.1), max_steps=2)
