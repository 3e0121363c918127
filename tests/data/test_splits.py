from collections import Counter

import pytest

from slimlit.data.files import Texts
from slimlit.data.splits import count_shared, make_splits

FRACTIONS = {"validation": 0.1, "test": 0.2}


def make_texts(count: int = 400) -> Texts:
    """A quarter of the texts positive; every fourth text stands there three times, in another case each time."""
    texts = [f"Text {row - row % 4 % 3}" if row % 4 < 3 else f"text {row}" for row in range(count)]
    texts = [text.upper() if row % 3 == 0 else text for row, text in enumerate(texts)]
    return Texts(texts, labels=["positive" if row // 4 % 4 == 0 else "negative" for row in range(count)])


def test_every_text_falls_into_one_part() -> None:
    parts = make_splits(make_texts(), FRACTIONS, seed=0)
    assert list(parts) == ["train", "validation", "test"]
    assert sorted(row for rows in parts.values() for row in rows) == list(range(400))


def test_each_part_has_its_share_of_each_label() -> None:
    texts = make_texts()
    for name, share in (*FRACTIONS.items(), ("train", 0.7)):
        labels = Counter(texts.labels[row] for row in make_splits(texts, FRACTIONS, seed=0)[name])
        assert labels["positive"] == pytest.approx(share * 100, abs=3)
        assert labels["negative"] == pytest.approx(share * 300, abs=3)


@pytest.mark.parametrize("seed", range(5))
def test_duplicates_never_stand_on_both_sides(seed: int) -> None:
    texts = make_texts()
    parts = {name: texts.take(rows) for name, rows in make_splits(texts, FRACTIONS, seed).items()}
    assert count_shared(texts, [texts]) == 400
    assert count_shared(parts["train"], [parts["validation"], parts["test"]]) == 0
    assert count_shared(parts["validation"], [parts["test"]]) == 0


def test_the_same_seed_gives_the_same_parts_and_another_one_others() -> None:
    first = make_splits(make_texts(), FRACTIONS, seed=1)
    assert first == make_splits(make_texts(), FRACTIONS, seed=1)
    assert first != make_splits(make_texts(), FRACTIONS, seed=2)


def test_a_text_falls_on_its_side_wherever_it_stands_in_the_file() -> None:
    texts = make_texts()
    backwards = texts.take(reversed(range(400)))
    first = make_splits(texts, FRACTIONS, 0)["test"]
    second = make_splits(backwards, FRACTIONS, 0)["test"]
    assert sorted(texts.texts[row] for row in first) == sorted(backwards.texts[row] for row in second)


def test_pairs_are_the_same_where_both_texts_are() -> None:
    texts = Texts(["a", "a", "b"], ["x", "y", "x"], ["0", "0", "0"])
    assert count_shared(texts.take([0]), [texts.take([1, 2])]) == 0
    assert count_shared(texts.take([0]), [texts.take([0])]) == 1


@pytest.mark.parametrize("fractions", [{"test": 0.0}, {"test": 1.0}, {"validation": 0.5, "test": 0.5}, {"test": -0.1}])
def test_shares_that_leave_nothing_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected shares above 0 that leave something for training"):
        make_splits(make_texts(), fractions, seed=0)


def test_too_few_texts_to_split_are_refused() -> None:
    with pytest.raises(ValueError, match="of 4 texts none is left for validation\ngive more texts"):
        make_splits(make_texts(4), FRACTIONS, seed=0)
