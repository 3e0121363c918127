"""Every rule lets running text pass, and rejects the text it is for."""

import pytest

from slimlit.text.prepare.languages import Language
from slimlit.text.prepare.reading import Reading, normal_form, tidy
from slimlit.text.prepare.repetition import FrequentPhrase, RepeatedLines, RepeatedParagraphs, RepeatedPhrases
from slimlit.text.prepare.rules import (
    AlphabeticWords,
    BulletLines,
    EllipsisLines,
    MeanWordLength,
    NumCharacters,
    NumStopWords,
    NumWords,
    Rule,
    Symbols,
)

ENGLISH = (
    "The ferry leaves the harbour at seven and reaches the island before noon. People who have missed it wait for the "
    "evening boat with a book. In winter, when ice covers the bay, nobody goes to sea at all."
)
CHINESE = (
    "这家酒店的位置很好，离地铁站只有五分钟。房间不大，但是很干净，服务员也非常热情。我们下次来的时候还会住在这里。"
)
LIST = "• milk\n• bread\n• eggs"
RULES: list[tuple[Rule, str, str]] = [
    (NumCharacters(150), "One. Two. Three.", "13 characters, expected 150"),
    (NumWords(20, 60), "It rains. It snows. It hails.", "6 words, expected 20 to 60"),
    (NumWords(2, 20), ENGLISH, "39 words, expected 2 to 20"),
    (MeanWordLength(), "A b c. D e f. G h i.", "1.3 characters a word, expected 3 to 10"),
    (MeanWordLength(), "Donaudampfschifffahrt. Rindfleischetikett. Kraftfahrzeugsteuer.", "20.3 characters a word"),
    (Symbols(), "#one is here. #two is there. #three left.", "3 of '#' in 8 words"),
    (Symbols(), "Well... maybe. So… what. Then we go.", "2 of '...' in 7 words"),
    (BulletLines(), LIST, "3 of 3 lines begin with a bullet, expected at most 90%"),
    (EllipsisLines(), "Read more...\nThe news of today.\nContinue…", "2 of 3 lines end in an ellipsis, expected at most 30%"),
    (AlphabeticWords(), "1 2 3 4. 5 6 7 8. 9 is odd.", "2 of 11 words have a letter, expected 80%"),
    (NumStopWords(), "Buy now. Best price. Click here.", "0 of the stop words, expected 2"),
    (NumStopWords(), "The the the. The the. The.", "1 of the stop words, expected 2"),
    (NumStopWords(), "春夏秋冬。东西南北。金木水火土。", "0 of the stop words, expected 2"),
    (RepeatedLines(), "Home.\nHome.\nHome.\nContact.", "2 of 4 lines were there before, expected at most 30%"),
    (RepeatedLines(), f"{ENGLISH}\n{ENGLISH}\na\nb\nc\nd", "of the characters are in lines that were there before"),
    (RepeatedParagraphs(), "One.\n\nOne.\n\nTwo.", "1 of 3 paragraphs were there before, expected at most 30%"),
    (FrequentPhrase(), "Buy gold now. Buy gold today. Buy gold here.", "'Buy gold' 3 times"),
    (
        RepeatedPhrases(),
        "We ship to all countries today. Ask us. We ship to all countries today.",
        "% of the words' characters are in repeated phrases of 5 words, expected at most 15.0%",
    ),
    (Language(["zh"]), ENGLISH, "language 'en', expected zh"),
    (Language(["en"]), CHINESE, "language 'zh', expected en"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "text", "why"), RULES, ids=[f"{rule.name}-{why[:20]}" for rule, _, why in RULES])
def test_a_rule_rejects_the_text_it_is_for_and_says_why(rule: Rule, text: str, why: str) -> None:
    assert why in (rule.reject(Reading(tidy(text))) or "passed")


GENTLE = [NumCharacters(40), NumWords(10), MeanWordLength(), Symbols(), BulletLines(), EllipsisLines(),
          AlphabeticWords(), NumStopWords(), RepeatedLines(), RepeatedParagraphs(), FrequentPhrase(), RepeatedPhrases(),
          Language(["en", "zh"])]  # fmt: skip


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["English", "Chinese"])
@pytest.mark.parametrize("rule", GENTLE, ids=lambda rule: rule.name)
def test_running_text_passes_every_rule(rule: Rule, text: str) -> None:
    assert rule.reject(Reading(text)) is None


def test_a_character_in_several_repeated_phrases_counts_once() -> None:
    text = "a b c d e f g " * 2 + " ".join(map(str, range(1000, 1180)))  # 14 of 734 characters
    assert RepeatedPhrases((0.0196,) * 6).reject(Reading(text)) is None
    assert RepeatedPhrases((0.0186,) * 6).reject(Reading(text)) is not None


def test_the_normal_form_is_slimpajamas() -> None:
    assert normal_form("  Hello,\n\n WORLD - it's\t me! ") == "hello world its me"
    assert normal_form("Ünder – “quoted”,  Straße") == "ünder – “quoted” straße"


@pytest.mark.parametrize(
    "text", ["plain", "a\r\nb\x00c", " e\u0301te\u0301 \u200b\r", "x\ud800y", "\x0c\x0b", "字\u3000符"]
)
def test_tidying_twice_is_tidying_once_and_gives_utf8(text: str) -> None:
    once = tidy(text)
    assert tidy(once) == once
    assert once.encode().decode() == once


def test_tidying_composes_letters_and_keeps_lines() -> None:
    assert tidy("cafe\u0301\r\nau lait\n") == "café\nau lait"
