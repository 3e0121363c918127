"""On-policy distillation: what the student writes, when, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, Trainer, seed_everything

from slimlit.callbacks import DifferentialPrivacy, StudentWrites, TeacherCache
from slimlit.data import Dialogues
from slimlit.data.toy_dialogues import write_toy_dialogues
from slimlit.losses import Loss, VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import Fresh, Pretrained, Shrunk, read
from slimlit.models.reply_prompts import last_answer
from slimlit.privacy.engine import ClippedGradients
from slimlit.privacy.probe import check_examples_are_apart
from slimlit.tasks import CausalLM, Seq2Seq
from slimlit.tasks.optimizers import AdamW
from slimlit.types import Batch
from tests.models.test_continuation import network
from tests.tasks.doubles import toy_trainer

STOPS = frozenset({2})


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("dialogues") / "dialogues.jsonl"
    write_toy_dialogues(file, 40)
    return str(file)


@pytest.fixture
def data(dialogues: str, toy_chat_model: Path) -> Dialogues:
    made = Dialogues(dialogues, str(toy_chat_model), max_length=128, batch_size=8)
    made.setup("fit")
    return made


def task(model: Path, loss: Loss | None = None, teacher: bool = True) -> CausalLM:
    seed_everything(0)
    of = Pretrained(str(model))
    loss = loss or (VocabularyTargets(divergence="reverse") if teacher else None)
    student = Shrunk([1]) if teacher else of
    return CausalLM(student, of if teacher else None, loss, lambda some: AdamW(some, lr=1e-3))


def built(model: Path, data: Dialogues, folder: Path) -> CausalLM:
    one = task(model)
    toy_trainer(folder, max_steps=0, limit_val_batches=0).fit(one, datamodule=data)
    return one.eval()  # type: ignore[return-value]


def written(one: CausalLM, data: Dialogues, rows: list[int], step: int = 0, **settings: Any) -> Batch:
    batch = data.splits["train"].batch(rows)
    StudentWrites(max_new_tokens=9).replace(one, batch, step, data.max_length, STOPS, **settings)
    return batch


def texts(batch: Batch) -> list[tuple[list[int], list[int]]]:
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    both = zip(batch["input_ids"].tolist(), batch["labels"].tolist(), lengths, strict=True)
    return [(ids[:length], labels[:length]) for ids, labels, length in both]


def test_the_last_answer_is_replaced_and_nothing_before_it(
    data: Dialogues, toy_chat_model: Path, tmp_path: Path
) -> None:
    one, rows = built(toy_chat_model, data, tmp_path), [0, 1, 2, 3]
    before = texts(data.splits["train"].batch(rows))
    for (old_ids, old_labels), (ids, labels) in zip(before, texts(written(one, data, rows)), strict=True):
        start = last_answer(old_labels)
        words = labels[start:]
        assert ids == [*old_ids[: start + 1], *words[:-1]]
        assert labels[:start] == [-100] * start  # what the data answers earlier is not the student's
        assert 1 <= len(words) <= 9
        assert -100 not in words


def test_what_it_writes_is_what_it_would_say(data: Dialogues, toy_chat_model: Path, tmp_path: Path) -> None:
    one = built(toy_chat_model, data, tmp_path)
    batch = data.splits["train"].batch([0, 1])
    StudentWrites(max_new_tokens=9, temperature=0.0).replace(one, batch, 0, data.max_length, STOPS)
    with torch.no_grad():
        said = one.student(batch["input_ids"], attention_mask=batch["attention_mask"]).logits.argmax(dim=-1)
    asked = batch["labels"] != -100
    assert torch.equal(said[asked], batch["labels"][asked])


def test_a_rows_words_depend_on_seed_step_and_prompt_alone(
    data: Dialogues, toy_chat_model: Path, tmp_path: Path
) -> None:
    one = built(toy_chat_model, data, tmp_path)
    together = texts(written(one, data, [0, 1, 2, 3], alone=True))
    assert together[2] == texts(written(one, data, [2]))[0] == texts(written(one, data, [5, 2], alone=True))[1]
    assert together[2] != texts(written(one, data, [2], step=1))[0]
    numbered = data.splits["train"].batch([2])
    numbered["example_id"] += 1  # as when a text before it is taken out
    StudentWrites(max_new_tokens=9).replace(one, numbered, 0, data.max_length, STOPS)
    assert texts(numbered)[0] == together[2]


def test_no_row_is_longer_than_max_length(data: Dialogues, toy_chat_model: Path, tmp_path: Path) -> None:
    one = built(toy_chat_model, data, tmp_path)
    data.max_length = int(data.splits["train"].lengths[:4].min())
    starts = [last_answer(labels) for _, labels in texts(data.splits["train"].batch([0, 1, 2, 3]))]
    for start, (ids, _) in zip(starts, texts(written(one, data, [0, 1, 2, 3])), strict=True):
        assert len(ids) <= max(start + 1, data.max_length)


def test_a_decoder_writes_from_what_the_encoder_read(toy_chat_model: Path) -> None:
    one = Seq2Seq(Fresh("marian", str(toy_chat_model)))
    one.student = network("marian")
    ids = torch.tensor([[3, 7, 9, 2], [5, 2, 0, 0]])
    answers = torch.tensor([[0, 11, 12], [0, 13, 0]])
    labels = torch.tensor([[11, 12, 2], [13, 2, -100]])
    batch = Batch(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels, example_id=torch.arange(2))
    batch |= {"decoder_input_ids": answers, "decoder_attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}
    StudentWrites(max_new_tokens=4, temperature=0.0).replace(one, batch, 0, 16, STOPS)
    assert torch.equal(batch["input_ids"], ids)
    assert (batch["decoder_input_ids"][:, 0] == 0).all()
    said = read(one.student, batch).logits.argmax(dim=-1)
    asked = batch["labels"] != -100
    assert torch.equal(said[asked], batch["labels"][asked])
    assert torch.equal(asked.long(), batch["decoder_attention_mask"])


def test_a_row_that_only_fills_the_batch_stays_empty(data: Dialogues, toy_chat_model: Path, tmp_path: Path) -> None:
    batch = written(built(toy_chat_model, data, tmp_path), data, [-1])
    assert batch["input_ids"].shape == (1, 1)
    assert batch["labels"].tolist() == [[-100]]


def test_no_gradient_depends_on_a_neighbour_when_the_student_writes(
    data: Dialogues, toy_chat_model: Path, tmp_path: Path
) -> None:
    one = built(toy_chat_model, data, tmp_path)
    engine = ClippedGradients(dict(one.student.named_parameters()), 1.0)
    rows = list(range(6))
    batch: Any = written(one, data, rows, alone=True)
    check_examples_are_apart(engine, lambda some: one.loss.combine(one.parts(some)), [one.student, one.loss], batch)


class Watching(Callback):
    """Notes what each step trains on."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.seen.append(b"".join(batch[name].numpy().tobytes() for name in ("input_ids", "labels")))


def fit(model: Path, file: str, folder: Path, *callbacks: Callback, steps: int = 4, **settings: Any) -> CausalLM:
    one = task(model)
    made = Dialogues(file, str(model), max_length=128, batch_size=8)
    toy_trainer(folder, max_steps=steps, max_epochs=-1, limit_val_batches=0, callbacks=list(callbacks)).fit(
        one, datamodule=made, **settings
    )
    return one


def test_a_run_writes_the_same_again_and_the_student_learns_from_it(
    dialogues: str, toy_chat_model: Path, tmp_path: Path
) -> None:
    runs = [Watching(), Watching()]
    students = [
        fit(toy_chat_model, dialogues, tmp_path, StudentWrites(0.5, 9), one).student.state_dict() for one in runs
    ]
    plain = Watching()
    fit(toy_chat_model, dialogues, tmp_path, plain)
    assert runs[0].seen == runs[1].seen
    assert all(torch.equal(students[0][name], students[1][name]) for name in students[0])
    kept = [one == other for one, other in zip(runs[0].seen, plain.seen, strict=True)]
    assert kept == [not StudentWrites(0.5).is_written(step) for step in range(4)]
    assert set(kept) == {True, False}


class SavedAtTwo(Callback):
    """Saves what two steps made."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 2:
            trainer.save_checkpoint(self.file)


def test_a_run_that_is_resumed_writes_what_it_would_have(dialogues: str, toy_chat_model: Path, tmp_path: Path) -> None:
    whole, rest, file = Watching(), Watching(), tmp_path / "two.ckpt"
    one = fit(toy_chat_model, dialogues, tmp_path, StudentWrites(1.0, 9), whole, SavedAtTwo(file))
    other = fit(
        toy_chat_model, dialogues, tmp_path, StudentWrites(1.0, 9), rest, ckpt_path=str(file), weights_only=True
    )
    assert rest.seen == whole.seen[2:]
    assert all(
        torch.equal(weight, other.student.state_dict()[name]) for name, weight in one.student.state_dict().items()
    )


def test_the_share_is_that_of_the_steps() -> None:
    writes = StudentWrites(share=0.3)
    assert np.mean([writes.is_written(step) for step in range(4000)]) == pytest.approx(0.3, abs=0.03)
    assert all(StudentWrites(share=1.0).is_written(step) for step in range(100))


def test_the_teacher_reads_what_was_written_and_not_what_was_stored(
    dialogues: str, toy_chat_model: Path, tmp_path: Path
) -> None:
    class Graded(Callback):
        stored: list[bool] = []  # noqa: RUF012

        def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
            self.stored.append("teacher" in batch)

    writes, graded = StudentWrites(0.5, 9), Graded()
    fit(toy_chat_model, dialogues, tmp_path, TeacherCache(str(tmp_path / "said")), writes, graded)
    assert graded.stored == [not writes.is_written(step) for step in range(4)]


def test_a_private_run_may_have_its_student_write(dialogues: str, toy_chat_model: Path, tmp_path: Path) -> None:
    private = DifferentialPrivacy(noise_multiplier=1.0, physical_batch_size=4, seed=1)
    fit(toy_chat_model, dialogues, tmp_path, private, StudentWrites(1.0, 9), steps=2)
    assert private.journal.num_steps() == 2


@pytest.mark.parametrize(
    ("make", "callbacks", "said"),
    [
        (
            lambda model: task(model, teacher=False),
            lambda: [StudentWrites()],
            "nobody to grade what the student writes",
        ),
        (
            lambda model: task(model, WeightedSum({"hard": VocabularyLabels(), "soft": VocabularyTargets()})),
            lambda: [StudentWrites()],
            "the loss hard compares with the labels, which would be the student's own words",
        ),
        (
            lambda model: task(model, VocabularyTargets(label_share=0.1)),
            lambda: [StudentWrites()],
            "the loss VocabularyTargets compares with the labels",
        ),
        (task, lambda: [TeacherCache(), StudentWrites(1.0)], "with StudentWrites.share 1 none is read"),
        (task, lambda: [StudentWrites(0.5), TeacherCache()], "name TeacherCache before StudentWrites"),
    ],
)
def test_what_would_train_on_the_wrong_thing_is_refused(
    make: Callable[[Path], CausalLM],
    callbacks: Callable[[], list[Callback]],
    said: str,
    data: Dialogues,
    toy_chat_model: Path,
    tmp_path: Path,
) -> None:
    trainer = toy_trainer(tmp_path, max_steps=1, limit_val_batches=0, callbacks=callbacks())
    with pytest.raises(ValueError, match=said):
        trainer.fit(make(toy_chat_model), datamodule=data)


@pytest.mark.parametrize("settings", [{"share": 0.0}, {"share": 1.1}, {"max_new_tokens": 0}, {"temperature": -1.0}])
def test_settings_without_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"StudentWrites.{next(iter(settings))} is"):
        StudentWrites(**settings)
