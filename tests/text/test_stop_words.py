"""Stop words go where they say little, stay where they carry meaning, and never empty a text."""

import builtins
import random
from pathlib import Path
from typing import Any

import pytest

from slimlit.text.segmentation import fold
from slimlit.text.stop_words import StopWords

pytest.importorskip("stopwordsiso")
pytest.importorskip("rjieba")


def stop_words(*arguments: Any, **named: Any) -> StopWords:
    found = StopWords(*arguments, **named)
    found.fit([])
    return found


def test_stop_words_are_found_where_they_stand_whatever_their_case() -> None:
    text = "The film IS about the sea."
    assert [text[start:end] for start, end in stop_words("mask").spans(text)] == ["The", "IS", "about", "the"]


def test_parts_of_words_are_no_stop_words() -> None:
    assert stop_words("mask").spans("theatre island well-to-do") == []


def test_dropping_leaves_single_spaces_and_marks_in_place() -> None:
    assert stop_words("drop").drop("There is , in the film , a sea of ghosts .") == ", film, sea ghosts."


def test_a_text_without_stop_words_stays_as_it_is() -> None:
    text = "brilliant  , haunting ."
    assert stop_words("drop").drop(text) == text


@pytest.mark.parametrize(
    "word",
    [
        "not",
        "no",
        "never",
        "without",
        "nor",
        "neither",
        "none",
        "cannot",
        "can't",
        "don't",
        "don’t",
        "n't",
        "isn't",
        "wasn't",
        "won't",
        "hardly",
        "nothing",
        "nobody",
        "good",
        "great",
        "best",
        "well",
        "better",
        "worst",
        "worse",
        "bad",
        "little",
        "few",
        "many",
        "most",
        "more",
        "less",
        "much",
        "very",
        "too",
        "only",
        "all",
        "enough",
        "but",
        "however",
        "although",
        "unless",
        "so",
        "such",
        "just",
        "even",
    ],
)
def test_english_words_of_negation_quantity_contrast_and_sentiment_survive(word: str) -> None:
    assert stop_words("drop").drop(f"this is {word} of the film") == f"{word} film"


@pytest.mark.parametrize(
    "word",
    [
        "不",
        "不是",
        "没",
        "没有",
        "无",
        "别",
        "好",
        "很",
        "太",
        "非常",
        "最",
        "更",
        "但是",
        "虽然",
        "不仅",
        "还",
        "可以",
        "一点",
        "都",
        "几乎",
        "毫无",
        "从不",
        "并非",
    ],
)
def test_chinese_words_of_negation_quantity_contrast_and_sentiment_survive(word: str) -> None:
    assert word not in stop_words("drop", "zh").stops


def test_no_chinese_stop_word_that_negates_is_left_in_the_list() -> None:
    left = {word for word in stop_words("mask", "zh").stops if set(word) & set("不没沒无無未勿毋莫甭非否别")}
    assert left <= {"别人", "别处", "别是", "别的", "别管", "分别", "甭"}  # here 别 is other, not do not


def test_no_english_stop_word_that_negates_is_left_in_the_list() -> None:
    stops = stop_words("mask").stops
    negated = {word for word in stops if word.endswith("n't") or (word.endswith("nt") and word[:-2] in stops)}
    assert negated == {"went", "sent", "int"}  # which negate nothing
    assert not {"nothing", "nowhere", "cannot", "without", "neither"} & stops


def test_the_plain_list_is_there_for_those_who_want_it() -> None:
    assert {"not", "good", "never"} <= stop_words("drop", keep_meaning=False).stops


def test_dropping_from_chinese_puts_in_no_spaces() -> None:
    assert stop_words("drop", "zh").drop("这个酒店的服务真的很不好，我们没有热水。") == "酒店服务真的很不好，没有热水。"


def test_a_text_of_stop_words_only_stays_whole_and_is_counted() -> None:
    found = stop_words("drop")
    assert found.drop("It is what it is.") == "It is what it is."
    assert found.spans("of the") == []
    assert found.report()["texts of stop words only, left whole"] == 2
    assert found.report()["stop words found"] == 0


def test_no_text_is_emptied() -> None:
    found = stop_words("drop")
    for text in ("the", "the 7", "of the , sea", "the !", "", "?"):
        assert bool(found.drop(text)) == bool(text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_only_stop_words_and_white_space_go(language: str) -> None:
    found = stop_words("drop", language)
    draw = random.Random(3)
    parts = ["The", "sea", " ", "\n", ",", "。", "的", "不好", "酒店", "İ", "İs", "don’t", "it's", "😀", "-", "is"]
    for _ in range(500):
        text = "".join(draw.choices(parts, k=draw.randrange(12)))
        spans = found.spans(text)
        assert all(fold(text[start:end]) in found.stops for start, end in spans)
        rest = [letter for place, letter in enumerate(text) if not any(start <= place < end for start, end in spans)]
        assert "".join(found.drop(text).split()) == "".join("".join(rest).split())


def test_kept_words_of_the_user_stay() -> None:
    found = stop_words("drop", keep=["The", "you’ll"])
    assert found.drop("The sea you'll see in the morning") == "The sea you'll the morning"


def test_a_file_of_ones_own_is_the_list(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeffFilm \r\n\nMovie\n", encoding="utf-8")
    assert stop_words("drop", words=str(path)).drop("The film, a movie of ours") == "The, a of ours"


def test_the_most_frequent_words_of_the_corpus_are_the_list() -> None:
    found = StopWords("drop", words="corpus", num_corpus_words=2)
    found.fit(["the film the sea", "not the film", "a film not good"])
    assert found.stops == {"the", "film"}
    found.fit(["other words"])
    assert found.stops == {"the", "film"}


def test_words_as_frequent_as_each_other_are_taken_in_the_same_order_everywhere() -> None:
    lists = []
    for texts in (["b c a"], ["a b c"]):
        found = StopWords("mask", words="corpus", num_corpus_words=2)
        found.fit(texts)
        lists.append(found.stops)
    assert lists == [{"a", "b"}] * 2


def test_frequent_words_that_carry_meaning_are_not_in_the_list_of_the_corpus() -> None:
    found = StopWords("drop", "zh", words="corpus", num_corpus_words=2)
    found.fit(["酒店很好", "酒店很差", "服务很好", "酒店"])
    assert found.stops == {"酒店"}


def test_off_finds_nothing_and_needs_no_package() -> None:
    found = stop_words("off", "ja")
    assert found.drop("the film") == "the film"
    assert found.spans("the film") == []
    assert found.report()["words in the list"] == 0


def test_the_report_counts_what_was_found() -> None:
    found = stop_words("drop")
    found.drop("The film and the sea")
    found.drop("Haunting")
    report = found.report()
    assert (report["texts"], report["words"], report["stop words found"]) == (2, 6, 3)
    assert report["share of words"] == 0.5
    assert report["most frequent"] == {"the": 2, "and": 1}


def test_the_fingerprint_changes_with_everything_that_decides() -> None:
    several = [
        stop_words("mask"),
        stop_words("drop"),
        stop_words("mask", "zh"),
        stop_words("mask", keep=["the"]),
        stop_words("mask", keep_meaning=False),
    ]
    assert len({one.fingerprint for one in several}) == len(several)
    assert stop_words("mask").fingerprint == several[0].fingerprint


def test_a_language_without_a_keep_list_warns_that_negations_go() -> None:
    with pytest.warns(UserWarning, match="no keep-list for 'de'"):
        StopWords("drop", "de").fit([])
    assert "nicht" not in stop_words("drop", "de", keep=["nicht", "kein"]).stops


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"language": "ja"}, "words of 'ja' are not found here"),
        ({"language": "eng"}, "no list for language 'eng'\ndid you mean 'en'?"),
        ({"words": "corpsu"}, "no stop-word list 'corpsu'\ndid you mean 'corpus'?"),
        ({"words": "corpus"}, "need texts, and there are none"),
        ({"num_corpus_words": 0}, "num_corpus_words is 0; expected 1 or more"),
    ],
)
def test_a_wrong_setting_is_told_with_what_was_expected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")) as problem:
        stop_words(**arguments, keep=["x"])
    assert len(str(problem.value).splitlines()) <= 5


def test_a_file_that_holds_no_words_is_refused(tmp_path: Path) -> None:
    for name, content in {"empty.txt": b"\n", "latin.txt": b"\xe9t\xe9"}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="has no words|is no UTF-8 text"):
            stop_words(words=str(tmp_path / name))


@pytest.mark.parametrize(
    ("package", "extra", "language"), [("stopwordsiso", "stopwords", "en"), ("rjieba", "chinese", "zh")]
)
def test_a_missing_package_is_told_with_the_line_to_type(
    package: str, extra: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:
        if name == package:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(ValueError, match=rf'pip install "slimlit\[{extra}\]"'):
        stop_words("mask", language)
