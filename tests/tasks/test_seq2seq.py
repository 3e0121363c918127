"""Seq2Seq learns planted translations, writes them, distils a teacher, and says what does not fit."""

import math
from pathlib import Path

import pytest
import torch
from lightning.pytorch import seed_everything
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from slimlit.callbacks import GenerationReport, TeacherCache
from slimlit.data.toy import toy_dictionary
from slimlit.losses import (
    AttentionRelations,
    HardLabels,
    HiddenStates,
    VocabularyLabels,
    VocabularyTargets,
    WeightedSum,
)
from slimlit.models import Head, Pretrained, Shrunk
from slimlit.tasks import Seq2Seq, SequenceClassification
from tests.tasks.doubles import toy_data, toy_trainer
from tests.tasks.translators import GREEDY, translations, translator

HEAD = Head(kind="seq2seq_lm")


def weights(task: Seq2Seq) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in task.student.parameters()]


def test_the_planted_translation_is_reached_and_the_exported_folder_writes_it(
    toy_translator: Path, tmp_path: Path
) -> None:
    task = translator(Pretrained(str(toy_translator / "trained")))
    scores = toy_trainer(tmp_path).test(task, datamodule=translations(toy_translator), verbose=False)[0]
    assert scores["test/bleu"] > 95
    assert scores["test/perplexity"] < 1.05
    model = AutoModelForSeq2SeqLM.from_pretrained(toy_translator / "trained")
    tokenizer = AutoTokenizer.from_pretrained(toy_translator / "trained")
    assert model.generation_config.max_new_tokens == GREEDY["max_new_tokens"]
    written = model.generate(**tokenizer(["the old dog sees"], return_tensors="pt"))
    words = toy_dictionary()
    assert tokenizer.decode(written[0], skip_special_tokens=True) == " ".join(
        words[w] for w in ["the", "old", "dog", "sees"]
    )


def test_perplexity_is_that_of_all_reference_tokens_by_hand(toy_translator: Path, tmp_path: Path) -> None:
    data = translations(toy_translator, batch_size=5)
    task = translator(Pretrained(str(toy_translator / "model")), loss=HardLabels(), num_written=0)
    scores = toy_trainer(tmp_path).test(task, datamodule=data, verbose=False)[0]
    network = Pretrained(str(toy_translator / "model")).build(HEAD).double().eval()
    nats, count = 0.0, 0
    for row in range(len(data.splits["test"])):
        batch = data.splits["test"].batch([row])
        with torch.no_grad():
            logits = network(input_ids=batch["input_ids"], decoder_input_ids=batch["decoder_input_ids"]).logits[0]
        for place, word in enumerate(batch["labels"][0].tolist()):
            nats -= float(logits[place].log_softmax(-1)[word])
            count += 1
    assert scores["test/perplexity"] == pytest.approx(math.exp(nats / count), rel=1e-5)


def test_a_student_equal_to_its_teacher_has_zero_loss_and_full_agreement(toy_translator: Path, tmp_path: Path) -> None:
    teacher = Pretrained(str(toy_translator / "trained"))
    both = WeightedSum({"soft": VocabularyTargets(2.0), "hidden": HiddenStates([(1, 1), (0, 0)])}, {})
    task = translator(Shrunk(layers=[1]), teacher, both)
    scores = toy_trainer(tmp_path).validate(task, datamodule=translations(toy_translator), verbose=False)[0]
    assert scores["validation/loss"] == pytest.approx(0.0, abs=1e-6)
    assert scores["validation/agreement"] == 1.0


def test_cached_words_and_states_of_a_teachers_decoder_are_those_it_says_live(
    toy_translator: Path, tmp_path: Path
) -> None:
    def fit(cached: bool) -> list[torch.Tensor]:
        seed_everything(1)
        both = WeightedSum({"soft": VocabularyTargets(2.0), "hidden": HiddenStates([(1, 1)])}, {})
        student = Shrunk(layers=[1], hidden_size=32)
        task = translator(student, Pretrained(str(toy_translator / "trained")), both, num_written=0)
        callbacks = [TeacherCache(folder=str(tmp_path / "cache"))] if cached else []
        toy_trainer(tmp_path, max_steps=4, callbacks=callbacks).fit(task, datamodule=translations(toy_translator))
        return weights(task)

    live, kept = fit(False), fit(True)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(live, kept, strict=True))


def test_distillation_makes_a_smaller_student_translate_like_its_teacher(toy_translator: Path, tmp_path: Path) -> None:
    seed_everything(0)
    losses = WeightedSum({"hard": VocabularyLabels(), "soft": VocabularyTargets()}, {})
    task = translator(Shrunk(layers=[1], hidden_size=32), Pretrained(str(toy_translator / "trained")), losses)
    trainer = toy_trainer(tmp_path, max_epochs=8)
    trainer.fit(task, datamodule=translations(toy_translator))
    assert float(trainer.callback_metrics["validation/agreement"]) > 0.5
    assert "validation/bleu" in trainer.callback_metrics


def test_a_repeated_test_writes_the_same_texts_also_where_they_are_drawn(toy_translator: Path, tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        drawn = {"do_sample": True, "max_new_tokens": 6}
        task = translator(Pretrained(str(toy_translator / "model")), generation=drawn)
        scores = toy_trainer(tmp_path).test(task, datamodule=translations(toy_translator), verbose=False)
        found.append((task.written, scores))
    assert found[0] == found[1]
    assert len(found[0][0]) == 48


def test_writing_and_reporting_change_no_weight(toy_translator: Path, tmp_path: Path) -> None:
    def fit(num_written: int, report: bool) -> list[torch.Tensor]:
        seed_everything(1)
        settings = {"num_written": num_written, "generation": {"do_sample": True, "max_new_tokens": 4}}
        task = translator(Pretrained(str(toy_translator / "model")), **settings)
        task_trainer = toy_trainer(
            tmp_path, max_steps=6, val_check_interval=3, callbacks=[GenerationReport(2)] if report else []
        )
        task_trainer.fit(task, datamodule=translations(toy_translator))
        return weights(task)

    quiet, loud = fit(0, False), fit(20, True)
    assert all(torch.equal(one, other) for one, other in zip(quiet, loud, strict=True))


def test_fitting_writes_some_validation_texts_and_testing_all(toy_translator: Path, tmp_path: Path) -> None:
    task = translator(Pretrained(str(toy_translator / "model")), num_written=3)
    toy_trainer(tmp_path, limit_train_batches=1).fit(task, datamodule=translations(toy_translator))
    assert sorted(task.written) == [0, 1, 2]
    toy_trainer(tmp_path).test(task, datamodule=translations(toy_translator), verbose=False)
    assert len(task.written) == 48


def test_a_network_that_begins_otherwise_than_the_data_is_refused(toy_translator: Path, tmp_path: Path) -> None:
    task = translator(Pretrained(str(toy_translator / "model")))
    with pytest.raises(
        ValueError,
        match=r"student writes begins with '<pad>' \(0\), the data's with '</s>' \(1\)\nset data.init_args.start_token",
    ):
        toy_trainer(tmp_path).fit(task, datamodule=translations(toy_translator, start_token="</s>"))


def test_what_cannot_be_is_refused_in_a_line(
    toy_translator: Path, toy_model: Path, toy_files: Path, tmp_path: Path
) -> None:
    network = Pretrained(str(toy_translator / "model"))
    with pytest.raises(ValueError, match="reads pairs of texts, and TextClassification has none"):
        toy_trainer(tmp_path).fit(translator(network), datamodule=toy_data(toy_model, toy_files))
    wrong = translator(network, generation={"num_beam": 4})
    with pytest.raises(ValueError, match="did you mean 'num_beams'"):
        toy_trainer(tmp_path).fit(wrong, datamodule=translations(toy_translator))
    with pytest.raises(
        ValueError, match="max_target_length is 100, .* for 64 tokens\nset data.init_args.max_target_length"
    ):
        toy_trainer(tmp_path).fit(translator(network), datamodule=translations(toy_translator, max_target_length=100))
    relations = translator(network, Pretrained(str(toy_translator / "trained")), AttentionRelations(1, 1))
    with pytest.raises(ValueError, match="AttentionRelations reads one stack"):
        toy_trainer(tmp_path).fit(relations, datamodule=translations(toy_translator))


def test_the_table_shows_source_reference_teacher_and_student(toy_translator: Path, tmp_path: Path) -> None:
    teacher = Pretrained(str(toy_translator / "trained"))
    task = translator(Shrunk(layers=[1]), teacher, VocabularyTargets())
    report = GenerationReport(num_examples=3)
    data = translations(toy_translator)
    toy_trainer(tmp_path, callbacks=[report]).validate(task, datamodule=data, verbose=False)
    header, *rows = (tmp_path / "reports" / "validation-outputs.tsv").read_text().splitlines()
    assert header.split("\t") == ["example_id", "source", "reference", "teacher", "student"]
    assert [row.split("\t")[1] for row in rows] == data.splits["validation"].texts[:3]
    assert all(row.split("\t")[3] == row.split("\t")[4] for row in rows)
    assert "tok:13a" in (tmp_path / "reports" / "validation-signatures.json").read_text()


def test_a_report_of_outputs_wants_a_task_that_writes(toy_model: Path, toy_files: Path, tmp_path: Path) -> None:
    task = SequenceClassification(Pretrained(str(toy_model)))
    with pytest.raises(ValueError, match="a SequenceClassification writes nothing"):
        toy_trainer(tmp_path, callbacks=[GenerationReport()]).fit(task, datamodule=toy_data(toy_model, toy_files))
