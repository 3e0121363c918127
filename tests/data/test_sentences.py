"""Tagged sentences are read from every format, and what cannot be read is told."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from slimlit.data.sentences import Sentences, TagColumns, read_sentences, split_words

ROWS = [{"tokens": ["Anna", "left", "Rome"], "ner": ["B-PER", "O", "B-LOC"]}, {"tokens": ["Why"], "ner": ["O"]}]


def write_lines(path: Path, rows: list[dict]) -> str:  # type: ignore[type-arg]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return str(path)


def test_json_lines_give_words_and_tags(tmp_path: Path) -> None:
    found = read_sentences(write_lines(tmp_path / "a.jsonl", ROWS), TagColumns())
    assert found.words == [["Anna", "left", "Rome"], ["Why"]]
    assert found.tags == [["B-PER", "O", "B-LOC"], ["O"]]
    renamed = [{"w": row["tokens"], "t": row["ner"]} for row in ROWS]
    with pytest.raises(ValueError, match="no column 'tokens'.*\nit has: w, t"):
        read_sentences(write_lines(tmp_path / "b.jsonl", renamed), TagColumns())
    assert read_sentences(str(tmp_path / "b.jsonl"), TagColumns("w", "t")).words == found.words


@pytest.mark.parametrize("zipped", [False, True])
def test_conll_files_give_the_same_sentences(zipped: bool, tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\n# id 7\nAnna NNP B-NP B-PER\nleft VBD B-VP O\nRome NNP B-NP B-LOC\n\n\nWhy WRB O O"
    path = tmp_path / ("a.conll.gz" if zipped else "a.conll")
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())
    found = read_sentences(str(path), TagColumns())
    assert found.words == [row["tokens"] for row in ROWS]
    assert found.tags == [row["ner"] for row in ROWS]
    assert read_sentences(str(path), TagColumns("0", "2")).tags[0] == ["B-NP", "B-VP", "B-NP"]


@pytest.mark.parametrize(("ending", "pack"), [(".bz2", bz2.compress), (".xz", lzma.compress)])
def test_conll_files_and_texts_are_read_however_they_are_compressed(
    ending: str, pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    (tmp_path / f"a.conll{ending}").write_bytes(pack(b"Anna B-PER\nleft O\n"))
    assert read_sentences(str(tmp_path / f"a.conll{ending}"), TagColumns()).words == [["Anna", "left"]]
    (tmp_path / f"a.txt{ending}").write_bytes(pack(b"Anna left\n"))
    assert read_sentences(str(tmp_path / f"a.txt{ending}"), TagColumns(tags=None)).words == [["Anna", "left"]]


def test_a_conll_word_that_is_a_number_sign_is_a_word(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("# O\n1 O\n\n")
    assert read_sentences(str(tmp_path / "a.conll"), TagColumns()).words == [["#", "1"]]


def test_a_conll_line_without_a_tag_leaves_its_sentence_out_and_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Anna B-PER\nleft\nRome B-LOC\n\nWhy O\n")
    found = read_sentences(str(tmp_path / "a.conll"), TagColumns())
    assert found.words == [["Why"]]
    assert found.broken == ["line 2: 1 columns; its sentence is left out"]


def test_sentences_without_one_tag_a_word_are_left_out_and_told(tmp_path: Path) -> None:
    rows = [*ROWS, {"tokens": ["a", "b"], "ner": ["O"]}, {"tokens": [], "ner": []}, {"tokens": "a b", "ner": ["O"]}]
    found = read_sentences(write_lines(tmp_path / "a.jsonl", rows), TagColumns())
    assert len(found) == 2
    assert found.num_empty == 1
    assert found.broken == [
        "sentence 3: 2 words and 1 tags",
        "sentence 5: 'a b' is no list of words, or its tags are none of tags",
    ]


def test_a_saved_data_set_names_its_tags(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["O", "B-PER", "B-LOC"])
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner": datasets.List(names)})
    datasets.Dataset.from_list(ROWS, features=features).save_to_disk(str(tmp_path / "saved"))
    found = read_sentences(str(tmp_path / "saved"), TagColumns())
    assert found.tags == [row["ner"] for row in ROWS]
    assert found.words == [row["tokens"] for row in ROWS]


def test_texts_to_tag_are_split_into_words_that_know_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Anna's friend left Rome (again).\n我在Rome看电影。\n\n")
    found = read_sentences(str(tmp_path / "a.txt"), TagColumns(tags=None))
    assert found.words[0] == ["Anna's", "friend", "left", "Rome", "(", "again", ")", "."]
    assert found.words[1] == ["我", "在", "Rome", "看", "电", "影", "。"]
    assert found.num_empty == 1
    for words, text, spans in zip(found.words, found.texts, found.spans, strict=True):
        assert text is not None
        assert [text[start:end] for start, end in spans] == words
    rows = write_lines(tmp_path / "b.jsonl", [{"text": "Anna left"}])
    assert read_sentences(rows, TagColumns(tags=None)).words == [["Anna", "left"]]


def test_nothing_but_spaces_and_signs_is_lost_of_a_text() -> None:
    text = "e-mail x@y.org, 3.5 % – naïve Привет! 한국 東京 ½"
    kept = {place for start, end in split_words(text) for place in range(start, end)}
    assert not [letter for place, letter in enumerate(text) if place not in kept and not letter.isspace()]


def test_unsound_tags_are_repaired_and_told() -> None:
    found = Sentences([["a", "b", "c"]], [["B-PER", "I-LOC", "O"]], [None], [[]])
    report = found.repair("file")
    assert found.tags == [["B-PER", "B-LOC", "O"]]
    assert report["faulty tags"] == 1
    assert report["repairs (row, word)"] == {"type changes inside": {"tags": 1, "first": [(1, 2)]}}
    with pytest.raises(ValueError, match="file: row 1, token 1: 'NN' is no tag"):
        Sentences([["a"]], [["NN"]], [None], [[]]).repair("file")


def test_repairs_are_told_by_the_rows_of_the_file(tmp_path: Path) -> None:
    left_out = [{"tokens": ["a"], "ner": ["O", "O"]}, {"tokens": [], "ner": []}]
    unsound = {"tokens": ["a", "b", "c"], "ner": ["B-PER", "O", "I-PER"]}
    found = read_sentences(write_lines(tmp_path / "a.jsonl", [*left_out, unsound]), TagColumns())
    assert found.repair("file")["repairs (row, word)"] == {"I without B": {"tags": 1, "first": [(3, 3)]}}
    no_tag = {"tokens": ["a"], "ner": ["foo"]}
    found = read_sentences(write_lines(tmp_path / "b.jsonl", [*left_out, no_tag]), TagColumns())
    with pytest.raises(ValueError, match="row 3, token 1: 'foo' is no tag"):
        found.repair("file")


def test_a_file_without_a_sentence_is_told_with_the_columns_it_should_have(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"tokens": ["a", "b"], "ner": ["O"]}\n{"tokens": [], "ner": []}\n')
    with pytest.raises(ValueError, match="1 empty and 1 broken .*\n.* in column 'tokens' and of as many tags in 'ner'"):
        read_sentences(str(tmp_path / "a.jsonl"), TagColumns())
