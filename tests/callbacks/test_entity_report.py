"""EntityReport writes how each kind of entity is found, and the sentences with the most mistakes."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from lightning.pytorch import seed_everything
from seqeval.metrics import f1_score, precision_score, recall_score

from slimlit.callbacks import AttentionMaps, DifferentialPrivacy, EntityReport, EvaluationReport
from slimlit.callbacks.entity_report import worst_sentences
from slimlit.models import Pretrained
from slimlit.tasks.token_classification import Scored
from tests.tasks.doubles import make_task, toy_data, toy_trainer
from tests.tasks.tagging import make_tagger, toy_tagging


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_the_table_has_each_kind_as_seqeval_scores_it(
    toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    seed_everything(0)
    task = make_tagger(Pretrained(str(toy_model)), lr=4e-3)
    trainer = toy_trainer(tmp_path, callbacks=[EntityReport(num_worst=3)], max_epochs=2, num_sanity_val_steps=1)
    trainer.fit(task, datamodule=toy_tagging(toy_model, toy_sentence_files))
    rows = table(tmp_path / "reports" / "validation-entities.tsv")
    assert [row["type"] for row in rows] == ["PERSON", "PLACE", "all (micro)", "mean of types (macro)"]
    found = task.scored["validation"]
    for name, measure in {"f1": f1_score, "precision": precision_score, "recall": recall_score}.items():
        theirs = [*measure(found.expected, found.predicted, average=None)]
        theirs += [measure(found.expected, found.predicted, average=average) for average in ("micro", "macro")]
        assert [float(row[name]) for row in rows] == pytest.approx(theirs, abs=1e-5)
    picture = ElementTree.fromstring((tmp_path / "reports" / "validation-entities.svg").read_text(encoding="utf-8"))
    assert "PERSON" in list(picture.itertext())
    listed = table(tmp_path / "reports" / "validation-worst.tsv")
    assert len(listed) == 3
    spans = json.loads((tmp_path / "reports" / "validation-worst.json").read_text(encoding="utf-8"))
    assert spans["examples"] == len(found.rows)
    for row, one in zip(listed, spans["worst"], strict=True):
        wrong = {tuple(span) for span in one["expected"]} ^ {tuple(span) for span in one["predicted"]}
        assert (row["example_id"], row["words"]) == (str(one["example_id"]), " ".join(one["words"]))
        assert int(row["mistakes"]) == len(wrong)


def test_the_worst_sentences_have_the_most_entities_missed_or_made_up() -> None:
    words = [["Anna", "left", "Rome"], ["Bob", "slept"], ["no", "one"]]
    expected = [["B-PER", "O", "B-LOC"], ["B-PER", "O"], ["O", "O"]]
    predicted = [["B-LOC", "I-LOC", "O"], ["B-PER", "O"], ["O", "B-PER"]]
    assert worst_sentences(Scored([4, 5, 6], expected, predicted), [[]] * 4 + words, 2) == [
        [4, 3, "Anna left Rome", "PER: Anna; LOC: Rome", "LOC: Anna left"],
        [6, 1, "no one", "", "PER: one"],
    ]


def test_a_private_run_trains_reports_its_kinds_and_lists_no_sentence(
    toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    seed_everything(0)
    private = DifferentialPrivacy(epsilon=4.0, physical_batch_size=8)
    trainer = toy_trainer(tmp_path, callbacks=[private, EntityReport()])
    task = make_tagger(Pretrained(str(toy_model)))
    trainer.fit(task, datamodule=toy_tagging(toy_model, toy_sentence_files))
    assert (tmp_path / "reports" / "validation-entities.tsv").is_file()
    assert not (tmp_path / "reports" / "validation-worst.tsv").exists()


def test_reports_refuse_tasks_of_the_other_kind(
    toy_model: Path, toy_files: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="SequenceClassification finds none\nuse EvaluationReport"):
        toy_trainer(tmp_path, callbacks=[EntityReport()]).fit(
            make_task(Pretrained(str(toy_model))), datamodule=toy_data(toy_model, toy_files)
        )
    with pytest.raises(ValueError, match="here words have them\nuse EntityReport"):
        toy_trainer(tmp_path, callbacks=[EvaluationReport()]).fit(
            make_tagger(Pretrained(str(toy_model))), datamodule=toy_tagging(toy_model, toy_sentence_files)
        )
    with pytest.raises(ValueError, match=r"EntityReport.num_worst is -1; expected 0 or more"):
        EntityReport(num_worst=-1)


def test_attention_of_layers_is_drawn_of_sentences_and_pooling_refused(
    toy_model: Path, toy_sentence_files: Path, tmp_path: Path
) -> None:
    def fit(maps: AttentionMaps) -> None:
        task = make_tagger(Pretrained(str(toy_model)))
        trainer = toy_trainer(tmp_path, callbacks=[maps], max_steps=1, limit_val_batches=0)
        trainer.fit(task, datamodule=toy_tagging(toy_model, toy_sentence_files))

    fit(AttentionMaps(layers=[1], texts=["the film was in quixby"]))
    fit(AttentionMaps(num_examples=2, layers=[1]))
    drawn = sorted((tmp_path / "attention" / "step-000001").glob("*.svg"))
    assert len(drawn) == 3  # two sentences, and the heads
    with pytest.raises(ValueError, match="has no attention pooling"):
        fit(AttentionMaps())
