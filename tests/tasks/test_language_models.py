"""CausalLM and MaskedLM learn, score whole splits by sums, and refuse data and networks that do not fit."""

import math
import shutil
from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything
from transformers import AutoModelForCausalLM

from slimlit.losses import HardLabels, SoftTargets, TopTargets, VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import Pretrained, Shrunk, read
from slimlit.tasks import CausalLM
from slimlit.tasks.word_scores import WordScores
from slimlit.types import Output, WordHead
from tests.tasks.doubles import toy_trainer
from tests.tasks.language_models import fit, fresh, make, text_data

PREDICT = pytest.mark.filterwarnings("ignore:You are using a custom batch sampler")  # the command line says it too


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_fresh_decoder_learns_text(name: str, toy_text: Path, toy_decoder: Path, tmp_path: Path) -> None:
    task, data = make(fresh(name, toy_decoder)), text_data(toy_text, toy_decoder)
    trainer = fit(task, data, tmp_path, max_epochs=4)
    scores = trainer.callback_metrics
    assert float(scores["validation/perplexity"]) < 0.3 * len(data.tokenizer)
    assert {"validation/loss", "validation/bits_per_byte", "validation/accuracy"} <= set(scores)


def test_a_fresh_encoder_learns_hidden_words(toy_text: Path, toy_model: Path, tmp_path: Path) -> None:
    task, data = make(fresh("bert", toy_model), masked=True), text_data(toy_text, toy_model, masked=True)
    trainer = fit(task, data, tmp_path, max_epochs=6)
    scores = trainer.callback_metrics
    assert float(scores["validation/perplexity"]) < 0.5 * len(data.tokenizer)
    assert "validation/masked_accuracy" in scores
    assert "validation/bits_per_byte" not in scores


@pytest.mark.parametrize("whole", [True, False])
def test_scores_are_those_of_all_logits_at_once(whole: bool, toy_text: Path, toy_decoder: Path, tmp_path: Path) -> None:
    teacher = Pretrained(str(toy_decoder))
    loss = HardLabels() if whole else VocabularyLabels()
    task, data = make(Shrunk(layers=[1]), teacher, loss), text_data(toy_text, toy_decoder, batch_size=3)
    trainer = toy_trainer(tmp_path)
    (scores,) = trainer.validate(task, datamodule=data, verbose=False)
    split = data.splits["validation"]
    batch = split.batch(range(len(split)))
    asked = batch["labels"] != -100
    with torch.no_grad():
        logs = torch.log_softmax(read(task.student.eval(), batch).logits[asked].double(), -1)
        assert task.teacher is not None
        theirs = torch.log_softmax(read(task.teacher, batch).logits[asked].double(), -1)
    labels = batch["labels"][asked]
    nats = -logs.gather(1, labels[:, None]).sum()
    text = sum(len(one.encode()) for one in split.texts)
    first = sum(len(data.tokenizer.decode([int(one)]).encode()) for one in batch["input_ids"][batch["position_ids"] == 0][: len(split.texts)])  # fmt: skip
    assert scores["validation/perplexity"] == pytest.approx(math.exp(nats / len(labels)), rel=1e-5)
    assert int(split.num_bytes.sum()) < text
    assert first > 0
    bits = float(nats) / math.log(2) / int(split.num_bytes.sum())
    assert scores["validation/bits_per_byte"] == pytest.approx(bits, rel=1e-5)
    assert scores["validation/accuracy"] == pytest.approx(float((logs.argmax(-1) == labels).double().mean()))
    assert scores["validation/agreement"] == pytest.approx(
        float((logs.argmax(-1) == theirs.argmax(-1)).double().mean())
    )
    divergence = float((theirs.exp() * (theirs - logs)).sum(-1).mean())
    assert scores["validation/divergence"] == pytest.approx(divergence, rel=1e-4)


def test_perplexity_is_of_all_words_and_not_a_mean_of_batches() -> None:
    logits = torch.tensor([[[4.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])
    labels = torch.tensor([[0, -100], [0, 1]])
    scores = WordScores()
    for row in range(2):
        scores.update(Output(logits[row : row + 1]), None, labels[row : row + 1], 5)
    asked = labels != -100
    expected = torch.nn.functional.cross_entropy(logits[asked], labels[asked])
    found = scores.compute()
    assert float(found["perplexity"]) == pytest.approx(float(expected.exp()), rel=1e-6)
    assert float(found["bits_per_byte"]) == pytest.approx(float(expected) * 3 / math.log(2) / 10, rel=1e-6)


def test_words_are_scored_in_blocks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    words = WordHead(torch.randn(3, 5, 4), torch.randn(7, 4), torch.randn(7))
    labels = torch.randint(7, (3, 5))
    labels[0, :3] = -100
    found = []
    for block in (1, 7 * 4, 10**6):
        monkeypatch.setattr("slimlit.tasks.word_scores._BLOCK", block)
        scores = WordScores()
        scores.update(Output(torch.zeros(3, 5, 0), words=words), Output(words.logits() * 0.5), labels, 9)
        found.append({name: float(value) for name, value in scores.compute().items()})
    assert found[0] == pytest.approx(found[2])
    assert found[1] == pytest.approx(found[2])


def test_a_student_that_is_its_teacher_agrees_with_it_everywhere(
    toy_text: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    task = make(Shrunk(layers=[1, 2]), Pretrained(str(toy_decoder)), VocabularyTargets())
    (scores,) = toy_trainer(tmp_path).validate(task, datamodule=text_data(toy_text, toy_decoder), verbose=False)
    assert scores["validation/agreement"] == 1.0
    assert scores["validation/divergence"] == pytest.approx(0.0, abs=1e-6)
    assert scores["validation/loss"] == pytest.approx(0.0, abs=1e-6)


def test_losses_over_words_and_over_logits_train_alike(toy_text: Path, toy_decoder: Path, tmp_path: Path) -> None:
    found = []
    for hard, soft in ((VocabularyLabels(), VocabularyTargets(temperature=2.0)), (HardLabels(), SoftTargets(2.0))):
        loss = WeightedSum({"hard": hard, "soft": soft}, {"hard": 0.3})
        task = make(Shrunk(layers=[1]), Pretrained(str(toy_decoder)), loss, lr=1e-3)
        fit(task, text_data(toy_text, toy_decoder), tmp_path, max_steps=3)
        found.append(torch.cat([weight.detach().flatten() for weight in task.student.parameters()]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-4)


@PREDICT
def test_texts_are_continued_by_the_likeliest_words(toy_text: Path, toy_decoder: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("the film was\na story of the city and\n")
    data = text_data(toy_text, toy_decoder, predict=str(tmp_path / "prompts.txt"))
    task = CausalLM(Pretrained(str(toy_decoder)), generation={"max_new_tokens": 5})
    answers = toy_trainer(tmp_path).predict(task, datamodule=data)
    assert answers is not None
    lines = task.predictions(answers, data)
    ids = data.tokenizer("the film was", return_tensors="pt").input_ids
    for _ in range(5):
        with torch.no_grad():
            ids = torch.cat([ids, task.student(input_ids=ids).logits[:, -1:].argmax(-1)], dim=1)
    expected = data.tokenizer.decode(ids[0, -5:], skip_special_tokens=True)
    assert lines[0] == {"continuation": expected, "text": "the film was"}
    assert lines[1]["text"] == "a story of the city and"


@PREDICT
def test_hidden_words_of_texts_are_filled(toy_text: Path, toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("the [MASK] was [MASK]\nno mask here\n")
    data = text_data(toy_text, toy_model, masked=True, predict=str(tmp_path / "texts.txt"))
    task = make(fresh("bert", toy_model), masked=True)
    answers = toy_trainer(tmp_path).predict(task, datamodule=data)
    assert answers is not None
    lines = task.predictions(answers, data)
    ids = data.tokenizer("the [MASK] was [MASK]", return_tensors="pt").input_ids
    with torch.no_grad():
        said = task.student.eval()(input_ids=ids).logits[ids == data.tokenizer.mask_token_id].argmax(-1)
    assert lines[0]["words"] == data.tokenizer.convert_ids_to_tokens(said)
    assert lines[1] == {"words": [], "text": "no mask here"}


def test_a_task_and_data_of_different_kinds_are_refused(toy_text: Path, toy_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the data hides words"):
        fit(make(fresh("llama", toy_model)), text_data(toy_text, toy_model, masked=True), tmp_path)
    with pytest.raises(ValueError, match="the data hides none"):
        fit(make(fresh("bert", toy_model), masked=True), text_data(toy_text, toy_model), tmp_path)


def test_a_teacher_with_other_words_is_refused(
    toy_text: Path, toy_model: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    task = make(fresh("llama", toy_model), Pretrained(str(toy_decoder)), VocabularyTargets())
    with pytest.raises(ValueError, match="differ in their vocabularies"):
        fit(task, text_data(toy_text, toy_model), tmp_path)


@pytest.mark.parametrize("kind", [VocabularyTargets, TopTargets])
def test_a_padded_teacher_teaches_the_words_that_both_know(
    kind: type[VocabularyTargets | TopTargets], toy_text: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    shutil.copytree(toy_decoder, tmp_path / "padded")
    whole = AutoModelForCausalLM.from_pretrained(toy_decoder)
    known = whole.get_input_embeddings().num_embeddings
    whole.resize_token_embeddings(known + 8).weight.data[known:] = 0.0
    whole.save_pretrained(tmp_path / "padded")
    found = []
    for folder, num_words in ((toy_decoder, None), (tmp_path / "padded", known)):
        seed_everything(0)
        loss = WeightedSum({"soft": kind(num_words=num_words)})
        task = make(fresh("llama", toy_decoder), Pretrained(str(folder)), loss)
        trainer = fit(task, text_data(toy_text, toy_decoder), tmp_path / folder.name, max_epochs=1)
        found.append(float(trainer.callback_metrics["validation/loss"]))
    assert found[0] == pytest.approx(found[1], rel=1e-5)
    task = make(fresh("llama", toy_decoder), Pretrained(str(tmp_path / "padded")), kind(num_words=known + 1))
    with pytest.raises(ValueError, match=f"told that {known + 1} words are shared; expected {known}"):
        fit(task, text_data(toy_text, toy_decoder), tmp_path, max_steps=1)


def test_an_architecture_that_cannot_pack_is_refused_with_packing_and_taken_without(
    toy_text: Path, toy_decoder: Path, tmp_path: Path
) -> None:
    from slimlit.models import Fresh

    bloom = Fresh("bloom", str(toy_decoder), {"hidden_size": 16, "n_layer": 1, "n_head": 2})
    with pytest.raises(ValueError, match="cannot read packed rows"):
        fit(make(bloom), text_data(toy_text, toy_decoder), tmp_path, max_steps=1)
    fit(make(bloom), text_data(toy_text, toy_decoder, packing=False), tmp_path, max_steps=1)
