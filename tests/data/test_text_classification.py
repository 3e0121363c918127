import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from slimlit.data import TextClassification
from slimlit.data.toy import toy_reviews, write_toy_files
from slimlit.text.prepare import prepare
from slimlit.text.stop_words import StopWords
from slimlit.types import Batch


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A hundred toy reviews, two of them twice, and rows that cannot be used."""
    path = tmp_path / "reviews.csv"
    rows = [f"{review.text},{review.label}" for review in toy_reviews(100)]
    path.write_text("\n".join(["text,label", *rows, *rows[:2], ",positive", "broken"]) + "\n")
    return path


def make(train: Path, toy_model: Path, **settings: Any) -> TextClassification:
    return TextClassification(str(train), str(toy_model), **{"max_length": 32, **settings})


def test_missing_splits_are_made_of_the_training_texts(reviews: Path, toy_model: Path) -> None:
    data = make(reviews, toy_model, split=(0.1, 0.2))
    data.setup("fit")
    assert set(data.splits) == {"train", "validation"}
    data.setup("test")
    sizes = {name: len(split) for name, split in data.splits.items()}
    assert sum(sizes.values()) == 102
    assert sizes["validation"] == pytest.approx(10, abs=1)
    assert sizes["test"] == pytest.approx(20, abs=1)
    parts = [set(split.texts) for split in data.splits.values()]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_made_splits_hang_on_the_seed_only(reviews: Path, toy_model: Path) -> None:
    first, same, other = (make(reviews, toy_model, seed=seed, batch_size=9) for seed in (1, 1, 2))
    first.setup("fit"), same.setup("test"), other.setup("fit")
    same.setup("fit")
    assert first.splits["validation"].texts == same.splits["validation"].texts
    assert first.splits["validation"].texts != other.splits["validation"].texts


def test_given_splits_are_taken_whole(toy_files: Path, toy_model: Path) -> None:
    given = {name: str(toy_files / f"{name}.csv") for name in ("validation", "test")}
    data = make(toy_files / "train.csv", toy_model, **given)
    data.setup("fit")
    data.setup("test")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 320, "validation": 64, "test": 64}


def test_one_split_may_be_given_and_the_other_made(toy_files: Path, toy_model: Path) -> None:
    data = make(toy_files / "train.csv", toy_model, validation=str(toy_files / "validation.csv"), split=(0.5, 0.1))
    data.setup("fit")
    data.setup("test")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 288, "validation": 64, "test": 32}


def write(path: Path, labels: list[Any], name: str = "rows.jsonl") -> Path:
    lines = [json.dumps({"text": f"film {number}", "label": label}) for number, label in enumerate(labels)]
    (path / name).write_text("\n".join(lines))
    return path / name


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["b", "a", "c"], ["a", "b", "c"]),
        ([10, 9, 2], ["2", "9", "10"]),
        (["10", "9", "-1"], ["-1", "9", "10"]),
        ([1.0, 0.0, 2.0], ["0", "1", "2"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        (["1", "01", "²"], ["01", "1", "²"]),
        (["1", "01", "0"], ["0", "01", "1"]),
        ([True, False, True], ["False", "True"]),
    ],
)
def test_classes_are_in_order_by_number_or_else_by_name(
    labels: list[Any], order: list[str], tmp_path: Path, toy_model: Path
) -> None:
    path = str(write(tmp_path, labels))
    data = make(Path(path), toy_model, validation=path, test=path)
    data.setup("fit")
    assert data.labels == order
    ids = data.splits["train"].label_ids.tolist()
    assert [order[number] for number in ids] == [data.example("train", row)["label"] for row in range(len(ids))]


def test_classes_may_be_given_in_another_order(reviews: Path, toy_model: Path) -> None:
    data = make(reviews, toy_model, labels=["positive", "negative"])
    data.setup("fit")
    assert data.labels == ["positive", "negative"]
    assert data.example("train", 0)["label"] == ["positive", "negative"][data.splits["train"].label_ids[0]]


def test_a_label_that_is_no_class_is_refused(tmp_path: Path, toy_model: Path) -> None:
    train, test = write(tmp_path, ["a", "b"]), write(tmp_path, ["a", "c"], "test.jsonl")
    data = make(train, toy_model, validation=str(train), test=str(test))
    data.setup("fit")
    with pytest.raises(
        ValueError, match="test has labels that are not among the classes: c\nclasses: a, b\nmend the file"
    ):
        data.setup("test")


def test_one_class_is_none_to_tell_apart(tmp_path: Path, toy_model: Path) -> None:
    train = write(tmp_path, ["a", "a"])
    with pytest.raises(ValueError, match="has one class only: a\nexpected two or more in column 'label'"):
        make(train, toy_model, validation=str(train), test=str(train)).setup("fit")


def test_a_length_beyond_the_tokenizers_is_refused_before_texts_are_read(toy_model: Path) -> None:
    with pytest.raises(
        ValueError, match="max_length is 65, .* made for 64 tokens\nset data.init_args.max_length to at most 64"
    ):
        TextClassification("none.csv", str(toy_model), max_length=65).setup("fit")


def test_texts_to_predict_need_neither_labels_nor_training_texts(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "new.csv").write_text("text\nthe film\na joyful story\n")
    data = TextClassification(
        "none.csv", str(toy_model), predict=str(tmp_path / "new.csv"), labels=["a", "b"], max_length=32
    )
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert batch["labels"].tolist() == [-1, -1]
    assert data.example("predict", 1) == {"text": "a joyful story", "pair": None, "label": None}


def test_classes_that_nothing_tells_are_asked_for(tmp_path: Path, toy_model: Path) -> None:
    (tmp_path / "new.csv").write_text("text\nthe film\n")
    data = make(tmp_path / "gone.csv", toy_model, predict=str(tmp_path / "new.csv"))
    with pytest.raises(
        ValueError,
        match=r"the classes are not given.*\nno such file: .*gone.csv\n(.*\n)?name them in order: data.init_args.labels",
    ) as told:
        data.setup("predict")
    assert len(str(told.value).splitlines()) <= 5


def test_nothing_to_predict_is_told(reviews: Path, toy_model: Path) -> None:
    with pytest.raises(ValueError, match="there is nothing to predict\nname the texts"):
        make(reviews, toy_model).setup("predict")


@pytest.mark.parametrize("mode", ["mask", "drop"])
def test_the_report_tells_all_and_is_plain_data(mode: Any, reviews: Path, toy_model: Path) -> None:
    for _ in range(2):  # made anew, and read back
        data = make(reviews, toy_model, stop_words=StopWords(mode), max_length=8)
        data.setup("fit")
        data.setup("test")
        report = json.loads(json.dumps(data.report))
        assert report == data.report
        assert report["train file"] == {
            "source": str(reviews), "rows": 102, "empty rows left out": 1, "duplicates": 2, "broken rows left out": 1,
            "first broken rows": ["line 105: 1 cells, expected 2"],
        }  # fmt: skip
        assert set(report) == {
            "train file", "train", "validation", "test", "texts of validation or test that are in train too",
        }  # fmt: skip
        assert report["texts of validation or test that are in train too"] == 0
        for name, split in data.splits.items():
            told = report[name]
            assert told["examples"] == len(split)
            assert told["tokens"] == int(split.lengths.sum())
            assert sum(told["labels"].values()) == len(split)
            assert told["stop words"]["texts"] == len(split)
            assert told["stop words"]["stop words found"] > 0
        assert report["train"]["cut to max_length"] > 0
        assert 0.0 <= report["train"]["padding waste"] < 0.2


def test_texts_that_stand_in_training_and_test_are_counted(toy_files: Path, toy_model: Path) -> None:
    same = str(toy_files / "validation.csv")
    data = make(Path(same), toy_model, validation=same, test=str(toy_files / "test.csv"))
    data.setup("fit")
    assert data.report["texts of validation or test that are in train too"] == 64


def test_dropped_words_are_gone_from_the_texts(reviews: Path, toy_model: Path) -> None:
    data = make(reviews, toy_model, stop_words=StopWords("drop"))
    data.setup("fit")
    words = {word for text in data.splits["train"].texts for word in text.split()}
    assert not words & {"the", "a", "of", "was"}
    assert {"not", "very", "film"} <= words
    assert "pooling_mask" not in data.splits["train"].batch([0])


def test_stop_words_of_the_corpus_are_those_of_the_training_texts(reviews: Path, toy_model: Path) -> None:
    words = StopWords("mask", words="corpus", num_corpus_words=3)
    data = make(reviews, toy_model, stop_words=words)
    data.setup("test")  # reads the training texts for it
    fitted = words.stops
    data.setup("fit")
    assert len(fitted) == 3
    assert words.stops == fitted


def test_a_second_setup_does_nothing(reviews: Path, toy_model: Path) -> None:
    data = make(reviews, toy_model)
    data.setup("fit")
    before = dict(data.splits)
    reviews.unlink()
    data.setup("fit")
    assert data.splits == before


def test_pairs_are_read_as_pairs(tmp_path: Path, toy_model: Path) -> None:
    lines = ["question,answer,kind", *(f"film {row},story {row},{row % 2}" for row in range(40))]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    data = make(tmp_path / "pairs.csv", toy_model, text_column="question", pair_column="answer", label_column="kind")
    data.setup("fit")
    example = data.example("train", 0)
    assert example["pair"] == str(example["text"]).replace("film", "story")
    assert data.splits["train"].batch([0])["token_type_ids"].any()


@pytest.mark.parametrize(("settings", "message"), [
    ({"batch_size": 0}, "batch_size is 0 and max_length 32; expected at least 1 and 3"),
    ({"max_length": 2}, "max_length 2; expected at least 1 and 3"),
])  # fmt: skip
def test_a_senseless_size_is_refused(settings: dict[str, int], message: str, toy_model: Path) -> None:
    with pytest.raises(ValueError, match=message):
        make(Path("none.csv"), toy_model, **settings)


def test_batches_of_a_split_come_once_in_order_of_length(reviews: Path, toy_model: Path) -> None:
    data = make(reviews, toy_model)
    data.setup("fit")
    batches = list(data.batches("train", 16))
    rows = torch.cat([batch["example_id"] for batch in batches]).tolist()
    assert sorted(rows) == list(range(len(data.splits["train"])))
    widths = [batch["input_ids"].shape[1] for batch in batches]
    assert widths == sorted(widths)


class Reader(LightningModule):
    """Writes down every example it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[int] = []

    def test_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        self.shown += batch["example_id"].tolist()
        return batch["labels"].float().mean()

    predict_step = validation_step = test_step


@pytest.mark.filterwarnings("ignore:You are using a custom batch sampler `SortedBatches` for prediction")
@pytest.mark.parametrize("verb", ["validate", "test", "predict"])
def test_the_trainer_reads_each_example_once(verb: str, reviews: Path, toy_model: Path, tmp_path: Path) -> None:
    data = make(reviews, toy_model, batch_size=7, predict=str(reviews))
    reader = Reader()
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu", default_root_dir=tmp_path)
    getattr(trainer, verb)(reader, data)
    name = {"validate": "validation"}.get(verb, verb)
    assert sorted(reader.shown) == list(range(len(data.splits[name])))


def test_the_share_of_tokens_that_the_tokenizer_has_no_word_for_is_reported(tmp_path: Path, toy_model: Path) -> None:
    words = toy_reviews(40)
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{one.text},{one.label}\n" for one in words))
    data = make(tmp_path / "a.csv", toy_model)
    data.setup("fit")
    assert "share of unknown tokens" not in data.report["train"]
    (tmp_path / "b.csv").write_text("text,label\n☃,positive\nfilm,negative\n")
    data = make(tmp_path / "a.csv", toy_model, test=str(tmp_path / "b.csv"))
    data.setup("test")
    assert data.report["test"]["share of unknown tokens"] == round(1 / 6, 4)  # [CLS] ☃ [SEP], [CLS] film [SEP]


def test_a_prepared_folder_gives_each_split_its_own_texts(tmp_path: Path, toy_model: Path) -> None:
    write_toy_files(tmp_path, 60, 20)
    prepared = ["--rules", "[]", "--near_duplicates", "null", "--output", str(tmp_path / "out")]
    assert (
        prepare(["--sources", str(tmp_path / "train.csv"), "--split", "{validation: 0.2, test: 0.2}", *prepared]) == 0
    )
    data = make(tmp_path / "out", toy_model)
    data.setup("fit")
    data.setup("test")
    for name in ("train", "validation", "test"):
        lines = (tmp_path / "out" / name / "part-00000.jsonl").read_text().splitlines()
        assert data.splits[name].texts == [json.loads(line)["text"] for line in lines]
