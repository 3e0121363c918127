"""Plain text becomes rows: documents read as asked, packed with positions of their own, the same again from the cache."""

import bz2
import gzip
import json
import lzma
from pathlib import Path

import numpy as np
import pytest
import torch

from slimlit.data import LanguageModelling, Masking
from slimlit.data.documents import read_documents
from slimlit.data.text_rows import TextRows
from slimlit.data.toy import toy_reviews
from slimlit.text.prepare import prepare

WIKI = " \n = One thing = \n \n It is . \n \n = = Section = = \n \n More . \n = Another = \n Text . \n"


def made(source: Path, model: Path, **settings: object) -> LanguageModelling:
    data = LanguageModelling(str(source), str(model), **{"max_length": 24, **settings})  # type: ignore[arg-type]
    data.setup("fit")
    return data


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "all.txt"
    file.write_text("\n".join(review.text for review in toy_reviews(200)))
    return file


def test_a_text_file_is_cut_into_documents_as_asked(tmp_path: Path) -> None:
    file = tmp_path / "wiki.txt.gz"
    file.write_bytes(gzip.compress(WIKI.encode()))
    counts = {
        kind: len(read_documents(str(file), "train", kind)) for kind in ("lines", "paragraphs", "headings", "file")
    }  # type: ignore[arg-type]
    assert counts == {"lines": 6, "paragraphs": 4, "headings": 2, "file": 1}
    first, second = read_documents(str(file), "train", "headings").texts
    assert first.startswith("= One thing =")
    assert "= = Section = =" in first
    assert second == "= Another = \n Text ."


def test_a_folder_gives_each_split_its_own_files(tmp_path: Path, toy_model: Path) -> None:
    for name, texts in {
        "train-00000": ["the film", "a story"],
        "train-00001": ["an actor"],
        "validation": ["music"],
    }.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    data = made(tmp_path, toy_model, split=(0.1, 0.3))
    assert data.report["train"]["documents"] + data.report.get("test", {"documents": 1})["documents"] == 3
    assert data.splits["validation"].texts == ["music"]
    with pytest.raises(ValueError, match="no file of the split 'train'"):
        made(tmp_path.parent, toy_model)


@pytest.mark.parametrize("ending", [".txt.bz2", ".jsonl.xz", ".csv.gz"])
def test_a_file_and_a_folder_are_read_however_they_are_compressed(ending: str, tmp_path: Path, toy_model: Path) -> None:
    packers = {".bz2": bz2.compress, ".xz": lzma.compress, ".gz": gzip.compress}
    line = {"txt": "a fine film\n", "jsonl": '{"text": "a fine film"}\n', "csv": "text\na fine film\n"}[
        ending.split(".")[1]
    ]
    (tmp_path / f"train{ending}").write_bytes(packers["." + ending.rpartition(".")[2]](line.encode()))
    assert read_documents(str(tmp_path), "train", "lines").texts == ["a fine film"]
    assert read_documents(str(tmp_path / f"train{ending}"), "train", "lines").texts == ["a fine film"]


def test_a_file_cut_short_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a fine film\n" * 1000)[:-12])
    with pytest.raises(ValueError, match=r"a.txt.gz cannot be read: .*\nexpected a whole gzip file"):
        read_documents(str(tmp_path / "a.txt.gz"), "train", "lines")


def test_a_prepared_folder_is_read_with_its_own_splits(text: Path, toy_model: Path, tmp_path: Path) -> None:
    asked = ["--sources", str(text), "--unit", "line", "--rules", "[]", "--near_duplicates", "null"]
    assert prepare([*asked, "--split", "{validation: 0.2, test: 0.2}", "--output", str(tmp_path / "out")]) == 0
    data = made(tmp_path / "out", toy_model)
    data.setup("test")
    for name in ("train", "validation", "test"):
        lines = (tmp_path / "out" / name / "part-00000.jsonl").read_text().splitlines()
        assert data.splits[name].texts == [json.loads(line)["text"] for line in lines]


def test_packed_rows_know_where_each_document_begins(text: Path, toy_model: Path) -> None:
    split = made(text, toy_model).splits["train"]
    batch = split.batch(range(len(split)))
    real = batch["attention_mask"].bool()
    starts = (batch["position_ids"] == 0) & real
    assert (batch["input_ids"][starts] == 2).all()  # [CLS]
    assert torch.equal(batch["segment_ids"][real] > 0, torch.ones_like(batch["segment_ids"][real], dtype=torch.bool))
    assert torch.equal(starts.long().cumsum(1)[real], batch["segment_ids"][real])
    ends = torch.roll(starts, -1, 1) | ~torch.roll(real, -1, 1)
    ends[:, -1] = True
    assert (batch["labels"][ends & real] == 3).all()  # what follows a document is its end, [SEP], never another


def test_without_packing_each_document_is_an_example_and_long_ones_are_several(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(["the film was joyful", "the story of " * 20, "a house", "the city"]))
    split = made(tmp_path / "a.txt", toy_model, packing=False, validation=str(tmp_path / "a.txt"), test="x").splits[
        "train"
    ]
    assert "position_ids" not in split.batch([0])
    assert split.documents.tolist() == [0, 1, 1, 1, 2, 3]
    assert split.notes["documents cut"] == 1


def test_the_bytes_of_all_rows_are_the_texts(text: Path, toy_model: Path) -> None:
    split = made(text, toy_model).splits["train"]
    assert isinstance(split, TextRows)
    assert split.num_bytes.sum() == sum(len(one.encode()) for one in split.texts)


def test_rows_come_from_the_cache_alike_and_other_settings_miss_it(text: Path, toy_model: Path) -> None:
    first, again = (made(text, toy_model).splits["train"] for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert torch.equal(first.batch([1, 0])["input_ids"], again.batch([1, 0])["input_ids"])
    others = [
        made(text, toy_model, max_length=25),
        made(text, toy_model, packing=False),
        made(text, toy_model, masking=Masking()),
        made(text, toy_model, masking=Masking(share=0.2)),
    ]
    found = {first.fingerprint, *(data.splits["train"].fingerprint for data in others)}
    assert len(found) == 5


def test_documents_of_two_given_files_are_counted(text: Path, toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "validation.txt").write_text("\n".join([*text.read_text().splitlines()[:3], "another film"]))
    data = made(text, toy_model, validation=str(tmp_path / "validation.txt"))
    assert data.report["documents of validation or test that are in train too"] == 3
    assert made(text, toy_model).report["documents of validation or test that are in train too"] == 0


def test_texts_to_continue_that_are_too_long_keep_their_ends_and_are_counted(tmp_path: Path, toy_decoder: Path) -> None:
    (tmp_path / "new.txt").write_text("the film\n" + "the story of " * 20 + "a house\n")
    data = LanguageModelling("none.txt", str(toy_decoder), predict=str(tmp_path / "new.txt"), max_length=12)
    data.setup("predict")
    assert data.report["predict"] == {"documents": 2, "cut to max_length": 1}
    assert data.tokenizer.decode(data.splits["predict"].batch([1])["input_ids"][0]).endswith("a house")


def test_made_splits_share_no_document(text: Path, toy_model: Path) -> None:
    data = made(text, toy_model)
    data.setup("test")
    parts = [set(data.splits[name].texts) for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_groups_are_documents_or_a_column_and_packing_has_none(tmp_path: Path, toy_model: Path) -> None:
    lines = [
        {"text": "the film was joyful " * 8, "who": "ann"},
        {"text": "music", "who": "bo"},
        {"text": "a city", "who": "ann"},
    ]
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = made(file, toy_model, packing=False, validation=str(file), test=str(file))
    assert data.groups("document").tolist() == [0, 0, 1, 2]
    assert data.groups("who").tolist() == [0, 0, 1, 0]
    with pytest.raises(ValueError, match="no column 'whom'"):
        data.groups("whom")
    with pytest.raises(ValueError, match="holds the documents themselves"):
        data.groups("text")
    with pytest.raises(ValueError, match="packing to false"):
        made(file, toy_model, validation=str(file), test=str(file)).groups("document")


def test_a_tokenizer_without_a_mask_token_hides_no_words(text: Path, tmp_path: Path) -> None:
    from slimlit.models.toy import write_toy_decoder

    write_toy_decoder(tmp_path)
    with pytest.raises(ValueError, match="has no mask token"):
        made(text, tmp_path, masking=Masking())


def test_an_empty_example_asks_nothing(text: Path, toy_model: Path) -> None:
    for masking in (None, Masking()):
        batch = made(text, toy_model, packing=False, masking=masking).splits["train"].batch([-1, -1])
        assert batch["labels"].tolist() == [[-100], [-100]]
        assert np.array_equal(batch["attention_mask"].numpy(), np.ones((2, 1)))
