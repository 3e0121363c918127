"""The task tags words, plainly or distilled; teachers with other tokenizers are aligned through words."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.strategies import DDPStrategy
from seqeval.metrics import f1_score, precision_score, recall_score
from torch import nn
from transformers import BertConfig, BertForTokenClassification, BertTokenizer

from slimlit.callbacks import TeacherCache
from slimlit.callbacks.checkpoint_file import CheckpointFile
from slimlit.callbacks.run_directory import RunDirectory
from slimlit.losses import AttentionRelations, HardLabels, HiddenStates, Loss, SoftTargets, WeightedSum
from slimlit.models import Pretrained, Shrunk
from slimlit.models.network import Network
from slimlit.models.tokenizers import load_tokenizer
from slimlit.tasks import TokenClassification
from slimlit.tasks.word_answers import WordAnswers
from tests.callbacks.test_differential_privacy import SECRET, Build, Noiseless, Spy
from tests.tasks.doubles import toy_trainer
from tests.tasks.tagging import make_tagger, toy_tagger, toy_tagging

LABELS = ["O", "B-PERSON", "I-PERSON", "B-PLACE", "I-PLACE"]


@pytest.fixture(scope="module")
def teacher(toy_model: Path, toy_sentence_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_tagger(toy_model, toy_sentence_files, tmp_path_factory.mktemp("tagger"))


# Lightning asks for what our batches give: every row
pytestmark = pytest.mark.filterwarnings("ignore:You are using a custom batch sampler `SortedBatches` for prediction")


@pytest.fixture(scope="module")
def foreign(toy_sentence_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random tagger that reads letters only, by numbers of its own."""
    folder = tmp_path_factory.mktemp("foreign")
    letters = [chr(code) for code in range(ord("z"), ord("a") - 1, -1)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters)]
    BertTokenizer(vocab={word: at for at, word in enumerate(vocabulary)}, model_max_length=120).save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        id2label=dict(enumerate(LABELS)), label2id={label: at for at, label in enumerate(LABELS)}, initializer_range=0.5,
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(folder)
    return folder


def test_the_toy_tagger_finds_every_planted_entity_and_scores_as_seqeval_does(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    task = make_tagger(Pretrained(str(teacher)))
    scores = toy_trainer(tmp_path).test(task, datamodule=toy_tagging(toy_model, toy_sentence_files), verbose=False)[0]
    assert scores["test/f1"] == scores["test/macro_f1"] == scores["test/token_accuracy"] == 1.0


def test_scores_of_a_poor_student_are_seqevals_to_the_last_digits(
    toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    seed_everything(1)
    task = make_tagger(Pretrained(str(toy_model)), lr=4e-3)
    data = toy_tagging(toy_model, toy_sentence_files)
    trainer = toy_trainer(tmp_path, max_epochs=2, limit_val_batches=0)
    trainer.fit(task, datamodule=data)
    scores = trainer.test(task, datamodule=data, verbose=False)[0]
    found = task.scored["test"]
    assert found.rows == list(range(64))
    assert 0.05 < scores["test/f1"] < 0.95
    for name, measure in {"f1": f1_score, "precision": precision_score, "recall": recall_score}.items():
        for prefix, average in {"": "micro", "macro_": "macro"}.items():
            theirs = measure(found.expected, found.predicted, average=average)
            assert scores[f"test/{prefix}{name}"] == pytest.approx(theirs, abs=1e-6)  # logged in float32


def test_words_that_are_cut_off_count_as_missed(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    task = make_tagger(Pretrained(str(teacher)))
    data = toy_tagging(toy_model, toy_sentence_files, max_length=8)
    scores = toy_trainer(tmp_path).test(task, datamodule=data, verbose=False)[0]
    assert data.report["test"]["words cut off"] > 100
    assert scores["test/precision"] > 0.7  # an entity cut in its middle is made up and missed
    assert scores["test/recall"] < 0.8
    assert sum(map(len, task.scored["test"].predicted)) == data.report["test"]["words"]


def test_a_student_equal_to_its_teacher_has_zero_soft_loss(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    task = make_tagger(Pretrained(str(teacher)), Pretrained(str(teacher)), SoftTargets())
    data = toy_tagging(toy_model, toy_sentence_files)
    scores = toy_trainer(tmp_path).validate(task, datamodule=data, verbose=False)[0]
    assert scores["validation/loss"] == pytest.approx(0.0, abs=1e-6)
    assert scores["validation/agreement"] == 1.0


def fitted(
    student: Network, files: Path, folder: Path, model: Path, *callbacks: Callback,
    teacher: Network | None = None, loss: Loss | None = None, data: dict[str, Any] | None = None, **trainer: Any,
) -> TokenClassification:  # fmt: skip
    seed_everything(1)
    task = make_tagger(student, teacher, loss)
    made = toy_trainer(folder, callbacks=list(callbacks), **trainer)
    made.fit(task, datamodule=toy_tagging(model, files, **(data or {})))
    return task


def distance(one: TokenClassification, other: TokenClassification) -> float:
    pairs = zip(one.student.parameters(), other.student.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def test_every_loss_distils_a_teacher_of_the_same_tokens(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    parts = {
        "hard": HardLabels(), "soft": SoftTargets(), "states": HiddenStates([(1, 2)]),
        "relations": AttentionRelations(1, 2, relation_heads=2),
    }  # fmt: skip
    settings = {"teacher": Pretrained(str(teacher)), "loss": WeightedSum(parts), "max_steps": 4}
    live = fitted(Shrunk(layers=[1]), toy_sentence_files, tmp_path, toy_model, **settings)
    cache = TeacherCache(str(tmp_path / "cache"))
    cached = fitted(Shrunk(layers=[1]), toy_sentence_files, tmp_path, toy_model, cache, **settings)
    again = fitted(Shrunk(layers=[1]), toy_sentence_files, tmp_path, toy_model, cache, **settings)
    assert distance(live, cached) < 1e-5
    assert distance(cached, again) == 0.0


def test_a_teacher_of_other_tokens_answers_at_the_first_sub_word_of_the_same_word(
    foreign: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    data = toy_tagging(toy_model, toy_sentence_files, teacher_tokenizer=str(foreign))
    task = make_tagger(Pretrained(str(toy_model)), Pretrained(str(foreign)), SoftTargets())
    task.trainer = toy_trainer(tmp_path)
    task.trainer.datamodule = data
    data.setup("fit")
    task.setup("fit")
    task.configure_model()
    batch = data.splits["train"].batch([2, 5, 7])
    said = task.read_teacher(batch, frozenset())
    assert said is not None
    assert said.logits.shape[:2] == batch["input_ids"].shape
    network = BertForTokenClassification.from_pretrained(foreign).eval()
    for number, row in enumerate([2, 5, 7]):
        encoded = load_tokenizer(str(foreign))(data.splits["train"].sentences[row], is_split_into_words=True)
        inputs = {name: torch.tensor([encoded[name]]) for name in ("input_ids", "attention_mask")}
        alone = network(**inputs).logits[0]
        for place, label in enumerate(batch["labels"][number].tolist()):
            if label >= 0:
                theirs = encoded.word_ids().index(int(batch["word_ids"][number, place]))
                assert torch.allclose(said.logits[number, place], alone[theirs], atol=1e-5)


def test_distilling_from_other_tokens_is_the_same_live_and_cached_and_brings_the_student_near(
    foreign: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "teacher": Pretrained(str(foreign)), "loss": SoftTargets(), "max_epochs": 3,
        "data": {"teacher_tokenizer": str(foreign)},
    }  # fmt: skip
    student = Pretrained(str(toy_model))
    live = fitted(student, toy_sentence_files, tmp_path, toy_model, **settings)
    cached = fitted(student, toy_sentence_files, tmp_path, toy_model, TeacherCache(str(tmp_path / "cache")), **settings)
    assert distance(live, cached) < 1e-4
    assert float(live.trainer.callback_metrics["validation/agreement"]) > 0.6


@pytest.mark.parametrize(
    ("settings", "loss", "message"),
    [
        ({}, SoftTargets(), "differ in their vocabularies.*\n.*\n.*teacher_tokenizer"),
        ({"teacher_tokenizer": "other"}, SoftTargets(), "no tokenizer at"),
        ({"teacher_tokenizer": "student"}, SoftTargets(), "teacher's tokenizer .* differs from the data's"),
        ({"teacher_tokenizer": "own"}, HiddenStates([(1, 1)]), "compares hidden_states.1 .* other tokens"),
        ({"teacher_tokenizer": "own"}, AttentionRelations(1, 1), "compares keys.1 .* other tokens"),
    ],
)
def test_teachers_of_other_tokens_are_refused_where_words_align_nothing(
    settings: dict[str, str], loss: Loss, message: str,
    foreign: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path,
) -> None:  # fmt: skip
    names = {"own": str(foreign), "student": str(toy_model), "other": str(tmp_path / "nothing")}
    given = {name: names[value] for name, value in settings.items()}
    with pytest.raises(ValueError, match=message):
        fitted(
            Pretrained(str(toy_model)), toy_sentence_files, tmp_path, toy_model,
            teacher=Pretrained(str(foreign)), loss=loss, data=given,
        )  # fmt: skip


def test_a_student_made_of_a_teacher_of_other_tokens_is_refused(
    foreign: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    settings = {"teacher_tokenizer": str(foreign), "tokenizer": str(tmp_path / "small")}
    letters = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film"]
    small = BertTokenizer(vocab={word: at for at, word in enumerate(letters)}, model_max_length=40)
    small.save_pretrained(tmp_path / "small")
    with pytest.raises(ValueError, match="made of the teacher, so it reads the teacher's tokens"):
        fitted(
            Shrunk(layers=[1]), toy_sentence_files, tmp_path, toy_model,
            teacher=Pretrained(str(foreign)), loss=SoftTargets(), data=settings,
        )  # fmt: skip


def test_predictions_name_words_tags_and_entities_with_their_characters(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    rows = [{"text": "the film was   in quixby, not with the first child"}, {"tokens": ["the", " ", "city"]}]
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = toy_tagging(toy_model, toy_sentence_files, predict=str(tmp_path / "new.jsonl"), labels=LABELS)
    task = make_tagger(Pretrained(str(teacher)))
    answers = toy_trainer(tmp_path).predict(task, datamodule=data)
    assert answers is not None
    lines = task.predictions(answers, data)
    text = lines[0]["text"]
    assert [(one["type"], one["words"], one["text"]) for one in lines[0]["entities"]] == [
        ("PLACE", ["quixby"], "quixby"), ("PERSON", ["first", "child"], "first child"),
    ]  # fmt: skip
    for entity in lines[0]["entities"]:
        start, end = entity["characters"]
        assert text[start:end] == entity["text"]
        assert lines[0]["tokens"][entity["start"] : entity["end"]] == entity["words"]
    assert lines[1] == {
        "tokens": ["the", " ", "city"], "tags": ["O", "O", "B-PLACE"],
        "entities": [{"type": "PLACE", "words": ["city"], "start": 2, "end": 3}],
    }  # fmt: skip
    json.dumps(lines)


class StopError(Exception):
    pass


class Interrupt(Callback):
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 25:
            raise StopError


def test_a_run_resumed_is_the_run_not_interrupted(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    def run(folder: Path, *callbacks: Callback, **settings: Any) -> TokenClassification:
        seed_everything(1)
        task = make_tagger(Shrunk(layers=[1]), Pretrained(str(teacher)), SoftTargets())
        trainer = toy_trainer(
            folder, callbacks=[*callbacks, RunDirectory(every_n_steps=3)], plugins=[CheckpointFile()],
            enable_checkpointing=True, max_epochs=2,
        )  # fmt: skip
        trainer.fit(task, datamodule=toy_tagging(toy_model, toy_sentence_files), **settings)
        return task

    whole = run(tmp_path / "whole")
    with pytest.raises(StopError):
        run(tmp_path / "cut", Interrupt())
    again = run(tmp_path / "cut", ckpt_path=str(tmp_path / "cut" / "checkpoints" / "last.ckpt"))
    assert distance(whole, again) == 0.0
    assert whole.scored["validation"] == again.scored["validation"]


class WithoutDropout(TokenClassification):
    def configure_model(self) -> None:
        super().configure_model()
        for module in self.student.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0


def test_the_private_gradient_is_the_sum_of_whole_sentences_each_clipped(
    toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    spy, build = Spy(), Build()
    private = Noiseless(noise_multiplier=1.0, max_grad_norm=0.5, physical_batch_size=7, seed=SECRET)
    seed_everything(1)
    trainer = toy_trainer(tmp_path, callbacks=[private, spy, build], max_steps=1, limit_val_batches=0)
    trainer.fit(WithoutDropout(Pretrained(str(toy_model))), datamodule=toy_tagging(toy_model, toy_sentence_files))
    student = build.student.requires_grad_(True)
    wanted: dict[str, torch.Tensor] = {}
    for batch in spy.batches:
        for row in range(len(batch["labels"])):
            one = {name: batch[name][row : row + 1] for name in ("input_ids", "attention_mask")}  # type: ignore[literal-required]
            labels = batch["labels"][row]
            if not bool((labels >= 0).any()):
                continue
            loss = nn.functional.cross_entropy(student(**one).logits[0], labels)  # the mean over its own words
            names, parameters = zip(*student.named_parameters(), strict=True)
            single = torch.autograd.grad(loss, parameters)
            scale = min(1.0, 0.5 / float(sum(part.square().sum() for part in single)) ** 0.5) / private.expected
            for name, part in zip(names, single, strict=True):
                wanted[name] = wanted.get(name, torch.zeros_like(part)) + part * scale
    assert len(wanted) > 10
    for name, part in wanted.items():
        assert torch.allclose(spy.gradients[0][f"student.{name}"], part, rtol=1e-4, atol=1e-7), name


def test_a_sentence_of_which_the_tokenizer_leaves_nothing_is_scored_as_missed(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    lines = [{"tokens": ["the", "city"], "ner": ["O", "B-PLACE"]}, {"tokens": ["\u200b", " "], "ner": ["B-PLACE", "O"]}]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    task = make_tagger(Pretrained(str(teacher)))
    data = toy_tagging(toy_model, toy_sentence_files, test=str(tmp_path / "test.jsonl"))
    scores = toy_trainer(tmp_path).test(task, datamodule=data, verbose=False)[0]
    assert data.report["test"]["words the tokenizer drops"] == 2
    assert task.scored["test"].predicted == [["O", "B-PLACE"], ["O", "O"]]
    assert scores["test/recall"] == 0.5


def test_a_word_answered_twice_counts_once() -> None:
    answers = WordAnswers()
    answers.update(torch.tensor([[3, 1, 2], [0, 0, 1]]))
    answers.update(torch.tensor([[0, 0, 1], [3, 0, 0]]))
    assert answers.compute().tolist() == [[0, 0, 1], [3, 0, 0], [3, 1, 2]]


class KeepScores(Callback):
    """Writes the scores and the sentences they are of."""

    def __init__(self, file: str) -> None:
        self.file = file

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, TokenClassification)
        if trainer.is_global_zero:
            scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
            found = pl_module.scored["test"]
            Path(self.file).write_text(json.dumps([scores, found.rows, found.expected, found.predicted]))


def test_two_processes_score_what_one_does(
    teacher: Path, toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    found = []
    odd = tmp_path / "odd.jsonl"  # 63 sentences, so that one process has one more than the other
    odd.write_text("".join((toy_sentence_files / "test.jsonl").read_text().splitlines(keepends=True)[1:]))
    for devices in (1, 2):
        strategy = DDPStrategy(process_group_backend="gloo", start_method="forkserver") if devices == 2 else "auto"
        file = tmp_path / f"{devices}.json"
        seed_everything(1)
        task = make_tagger(Shrunk(layers=[1]), Pretrained(str(teacher)), SoftTargets())
        trainer = toy_trainer(tmp_path, devices=devices, strategy=strategy, callbacks=[KeepScores(str(file))])
        trainer.test(task, datamodule=toy_tagging(toy_model, toy_sentence_files, test=str(odd)), verbose=False)
        found.append(json.loads(file.read_text()))
    (scores, *sentences), (others, *again) = found
    assert sentences == again
    assert len(sentences[0]) == 63
    assert "test/loss" in scores
    for name, score in scores.items():
        assert others[name] == pytest.approx(score, abs=1e-5), name
