"""What is hidden is a function of seed, epoch and the row's tokens, in the shares BERT has, and never a special token."""

from pathlib import Path

import numpy as np
import pytest
import torch

from slimlit.data import LanguageModelling, Masking
from slimlit.data.masking import Drawn, InEpochs, MaskedRows
from slimlit.data.toy import toy_reviews, toy_words


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("text") / "train.txt"
    file.write_text("\n".join(review.text for review in toy_reviews(300)))
    return file


def rows(text: Path, model: Path, packing: bool = True, seed: int = 0, **masking: object) -> MaskedRows:
    data = LanguageModelling(
        str(text), str(model), masking=Masking(**masking), max_length=48, packing=packing, seed=seed
    )  # fmt: skip
    data.setup("fit")
    found = data.splits["train"]
    assert isinstance(found, MaskedRows)
    return found


def test_another_epoch_hides_other_words_and_the_same_epoch_the_same(text: Path, toy_model: Path) -> None:
    split = rows(text, toy_model)
    first, again, other = (split.batch(Drawn([3, 1, 5], epoch)) for epoch in (0, 0, 1))
    assert torch.equal(first["input_ids"], again["input_ids"])
    assert not torch.equal(first["labels"], other["labels"])
    alone = split.batch(Drawn([1], 0))
    width = alone["labels"].shape[1]
    assert torch.equal(first["labels"][1, :width], alone["labels"][0])  # whatever stands beside it


def test_one_text_less_changes_the_hidden_words_of_no_other(toy_model: Path, tmp_path: Path) -> None:
    texts = [review.text for review in toy_reviews(60)]
    hidden = []
    for name, kept in (("all", texts), ("less", [text for text in texts if text != texts[0]])):
        (tmp_path / f"{name}.txt").write_text("\n".join(kept))
        settings = {"validation": str(tmp_path / "all.txt"), "test": str(tmp_path / "all.txt"), "max_length": 48}
        data = LanguageModelling(
            str(tmp_path / f"{name}.txt"), str(toy_model), packing=False, masking=Masking(), **settings
        )
        data.setup("fit")
        split = data.splits["train"]
        batches = [split.batch(Drawn([row], 3)) for row in range(len(split))]
        hidden.append([(one["input_ids"].tolist(), one["labels"].tolist()) for one in batches])
    assert len(hidden[0]) > len(hidden[1]) > 50
    assert all(row in hidden[0] for row in hidden[1])


def test_without_an_epoch_and_where_it_is_asked_so_the_hidden_words_never_change(text: Path, toy_model: Path) -> None:
    split = rows(text, toy_model)
    assert torch.equal(split.batch([2])["labels"], split.batch([2])["labels"])
    fixed = rows(text, toy_model, every_epoch=False)
    assert torch.equal(fixed.batch(Drawn([2], 0))["labels"], fixed.batch(Drawn([2], 7))["labels"])
    assert fixed.fingerprint != rows(text, toy_model, every_epoch=False, seed=1).fingerprint


def test_fifteen_in_a_hundred_are_asked_for_and_eight_in_ten_of_them_masked(text: Path, toy_model: Path) -> None:
    split = rows(text, toy_model, whole_words=False)
    plain = split.columns["input_ids"]
    asked = masked = same = total = 0
    for epoch in range(40):
        batch = split.batch(Drawn(list(range(len(split))), epoch))
        ids, _ = plain.rows(np.arange(len(split)))
        hidden = batch["labels"] != -100
        assert torch.equal(batch["labels"][hidden], ids[hidden])
        assert torch.equal(batch["input_ids"][~hidden], ids[~hidden])
        asked += int(hidden.sum())
        masked += int((batch["input_ids"][hidden] == split.mask).sum())
        same += int((batch["input_ids"][hidden] == ids[hidden]).sum())
        total += int((split.columns["begins"].values >= 0).sum())
    deviation = (0.8 * 0.2 / asked) ** 0.5
    assert 0.15 <= asked / total < 0.15 + 1 / 30  # a row's last word may go over the share
    assert abs(masked / asked - 0.8) < 4 * deviation
    assert abs(same / asked - 0.1) < 4 * deviation + 1 / len(split.others)


def test_special_tokens_and_padding_are_never_hidden(text: Path, toy_model: Path) -> None:
    split = rows(text, toy_model, share=0.9)
    batch = split.batch(Drawn(list(range(len(split))), 0))
    special = split.columns["begins"].rows(np.arange(len(split)))[0] < 0
    assert (batch["labels"][special] == -100).all()
    assert special.any()
    assert not np.isin(split.others, [0, 1, 2, 3, 4]).any()


def test_a_word_is_hidden_whole(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join(f"the xyzxyz was abcabc of qqq{'q' * n}" for n in range(40)))
    split = rows(tmp_path / "train.txt", toy_model, share=0.3)
    batch = split.batch(Drawn(list(range(len(split))), 0))
    begins = split.columns["begins"].rows(np.arange(len(split)))[0]
    asked = batch["labels"] != -100
    for row in range(len(split)):
        words = torch.cumsum(begins[row] == 1, 0)
        for word in range(1, int(words.max()) + 1):
            whole = asked[row][(words == word) & (begins[row] >= 0)]
            assert whole.all() or not whole.any()


def test_a_row_of_one_word_has_it_hidden(toy_model: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("\n".join(toy_words()))
    split = rows(tmp_path / "train.txt", toy_model, packing=False)
    assert ((split.batch(list(range(len(split))))["labels"] != -100).sum(1) == 1).all()


def test_an_epoch_is_known_from_the_batches_taken_so_far() -> None:
    batches = [[0, 1], [2, 3], [4]]
    found = InEpochs(Endless(batches, 2), lambda: 2)
    drawn = [(list(rows), rows.epoch) for _, rows in zip(range(4), found, strict=False) if isinstance(rows, Drawn)]
    assert drawn == [([4], 0), ([0, 1], 1), ([2, 3], 1), ([4], 1)]


class Endless:
    """As our samplers are: from where they stopped, and on into the next epoch."""

    def __init__(self, batches: list[list[int]], start: int) -> None:
        self.batches, self.start = batches, start

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> object:
        return iter([*self.batches[self.start :], *self.batches, *self.batches])
