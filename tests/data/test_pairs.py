"""Pairs reads texts and what is to be written of them, and lines both sides up."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from slimlit.data import Pairs
from slimlit.data.examples import IGNORED
from tests.tasks.translators import translations


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Twelve texts with a title, two of them with several summaries, one without, one of no text, in a gzipped file."""
    file = tmp_path / "papers.jsonl.gz"
    lines: list[dict[str, Any]] = [{"document": f"the old dog sees {n}", "title": "dog"} for n in range(12)]
    for number, line in enumerate(lines):
        line["summaries"] = ["der hund"] if number > 1 else ["der hund", "der alte hund", ""]
    lines += [{"document": "the cat", "summaries": []}, {"document": "", "summaries": ["der"]}]
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)
    return file


def papers(toy_translator: Path, rows: Path, **settings: Any) -> Pairs:
    columns = {"source_column": "document", "target_column": "summaries", "validation": None, "test": None}
    return translations(toy_translator, train=str(rows), **{**columns, **settings})


def test_labels_are_the_decoders_next_words_and_end_with_the_end(toy_translator: Path) -> None:
    data = translations(toy_translator)
    data.setup("fit")
    split = data.splits["train"]
    batch = split.batch([0, 1, 2])
    for row in range(3):
        said = batch["labels"][row][batch["labels"][row] != IGNORED].tolist()
        begun = batch["decoder_input_ids"][row][batch["decoder_attention_mask"][row] == 1].tolist()
        assert begun == [0, *said[:-1]]  # 0 is what the model of this tokenizer begins with
        assert said[-1] == data.tokenizer.eos_token_id
        assert data.tokenizer.decode(said[:-1]) == split.pairs[row]
        read = batch["input_ids"][row][batch["attention_mask"][row] == 1].tolist()
        assert read[-1] == data.tokenizer.eos_token_id


def test_what_begins_a_text_is_the_models_own_or_bos_or_pad(toy_translator: Path, tmp_path: Path) -> None:
    assert translations(toy_translator).start_token_id == 0
    tokenizer = PreTrainedTokenizerFast.from_pretrained(toy_translator / "model")
    tokenizer.save_pretrained(tmp_path / "pad")
    tokenizer.bos_token = "<unk>"
    tokenizer.save_pretrained(tmp_path / "bos")
    assert translations(toy_translator, tokenizer=str(tmp_path / "pad")).start_token_id == 0
    assert translations(toy_translator, tokenizer=str(tmp_path / "bos")).start_token_id == 2
    assert translations(toy_translator, start_token="</s>").start_token_id == 1
    with pytest.raises(ValueError, match="is no token of"):
        _ = translations(toy_translator, start_token="<start>").start_token_id


def test_a_tokenizer_that_closes_no_text_gets_its_end_written(toy_translator: Path, tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(toy_translator / "model")
    tokenizer.backend_tokenizer.post_processor = None
    settings = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, model_max_length=64, **settings)
    bare.save_pretrained(tmp_path / "bare")
    plain, closed = translations(toy_translator, max_length=5), None
    closed = translations(toy_translator, max_length=5, tokenizer=str(tmp_path / "bare"))
    for data in (plain, closed):
        data.setup("test")
    one, other = (data.splits["test"].batch(list(range(20))) for data in (plain, closed))
    assert all(torch.equal(one[name], other[name]) for name in one)  # type: ignore[literal-required]
    assert plain.report["test"]["cut to max_length"] == closed.report["test"]["cut to max_length"] > 0


def test_several_references_are_kept_the_first_is_learned_and_what_is_left_out_is_counted(
    toy_translator: Path, rows: Path
) -> None:
    data = papers(toy_translator, rows, split=(0.1, 0.2))
    data.setup("fit")
    data.setup("test")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 9, "validation": 1, "test": 2}
    references = {
        text: data.references[name][row] for name in data.splits for row, text in enumerate(data.splits[name].texts)
    }
    assert references["the old dog sees 0"] == ["der hund", "der alte hund"]
    assert set(data.splits["train"].pairs) == {"der hund"}
    assert data.report["train file"]["empty rows left out"] == 2
    assert data.report["texts of validation or test that are in train too"] == 0


def test_made_splits_have_no_text_on_two_sides(toy_translator: Path, tmp_path: Path) -> None:
    lines = [
        f"the {word} dog\tder {number}"
        for number in range(6)
        for word in ("old", "small", "black", "the", "man", "cat")
    ]
    (tmp_path / "many.tsv").write_text("source\ttarget\n" + "\n".join(lines) + "\n")
    data = translations(toy_translator, train=str(tmp_path / "many.tsv"), validation=None, test=None, split=(0.2, 0.2))
    data.setup("fit")
    data.setup("test")
    sides = [set(split.texts) for split in data.splits.values()]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 6


def test_every_text_has_the_group_its_row_names_or_none_has(toy_translator: Path, tmp_path: Path) -> None:
    lines = [
        "source\ttarget\twho\trole",
        "\tder\tnobody\t",
        *(f"the dog {n}\tder {n}\tperson {n % 2}\t" for n in range(6)),
    ]
    (tmp_path / "letters.tsv").write_text("\n".join(lines) + "\n")
    data = translations(toy_translator, train=str(tmp_path / "letters.tsv"), learn_column=None)
    assert data.groups("who").tolist() == [0, 1, 0, 1, 0, 1]
    with pytest.raises(ValueError, match="6 rows .* have nothing in column 'role'"):
        data.groups("role")


def test_what_a_teacher_wrote_is_learned_and_the_references_still_judge(toy_translator: Path, tmp_path: Path) -> None:
    lines = [{"source": f"the dog {n}", "target": "der kater", "prediction": "der hund"} for n in range(20)]
    (tmp_path / "teacher.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings: dict[str, Any] = {"train": str(tmp_path / "teacher.jsonl"), "learn_column": "prediction"}
    data = translations(toy_translator, **settings, validation=None)
    data.setup("fit")
    assert set(data.splits["train"].pairs) == {"der hund"}
    assert set(data.splits["validation"].pairs) == {"der kater"}
    bare = [{name: line[name] for name in ("source", "prediction")} for line in lines]
    (tmp_path / "teacher.jsonl").write_text("".join(json.dumps(line) + "\n" for line in bare))
    translations(toy_translator, **settings).setup("fit")  # a validation file of its own has references
    with pytest.raises(ValueError, match="no column 'target' to score against"):
        translations(toy_translator, **settings, validation=None).setup("fit")


def test_texts_to_predict_need_no_targets_and_keep_those_they_have(toy_translator: Path, tmp_path: Path) -> None:
    (tmp_path / "new.tsv").write_text("source\nthe dog\nthe cat\n")
    data = translations(toy_translator, predict=str(tmp_path / "new.tsv"))
    data.setup("predict")
    batch = data.splits["predict"].batch([0, 1])
    assert (batch["labels"] == IGNORED).all()
    assert batch["decoder_input_ids"].tolist() == [[0], [0]]
    assert data.references["predict"] == [[], []]
    known = translations(toy_translator, predict=str(toy_translator / "test.tsv"))
    known.setup("predict")
    assert all(known.references["predict"])


def test_batches_group_texts_by_what_is_read_and_written_together(toy_translator: Path) -> None:
    data = translations(toy_translator)
    data.setup("fit")
    split = data.splits["train"]
    both = split.columns["input_ids"].lengths + split.columns["decoder_input_ids"].lengths
    assert split.lengths.tolist() == both.tolist()
    assert data.report["train"]["padding waste"] < 0.05


def test_a_prefix_is_read_and_not_shown(toy_translator: Path) -> None:
    data = translations(toy_translator, prefix="again ")
    data.setup("test")
    split = data.splits["test"]
    assert not split.texts[0].startswith("again ")
    assert data.tokenizer.decode(split.batch([0])["input_ids"][0, :1]) == "again"


def test_columns_that_are_not_there_are_named(toy_translator: Path, rows: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"no column 'target' in .*\nit has: document, title, summaries\nname it: data.init_args.target_column",
    ):
        papers(toy_translator, rows, target_column="target").setup("fit")
    with pytest.raises(ValueError, match="data.init_args.learn_column"):
        papers(toy_translator, rows, learn_column="prediction").setup("fit")
