"""Scores of generated texts equal the outside judges' and the formulas by hand."""

import math
import socket
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from slimlit.text.scores import RougeTokenizer, bleu, chrf, rouge

TEXTS = ["The cat sat on the mat .", "There is a dog in the garden, barking.", "", "Completely different words here"]
ONE = [
    ["The cat sat on a mat ."],
    ["A dog barks in the garden."],
    ["Nothing was written."],
    ["Nothing in common at all"],
]
SEVERAL = [
    ["The cat sat on a mat .", "On the mat sat the cat ."],
    ["A dog barks in the garden."],
    ["a", "b", "c"],
    ["d"],
]
CHINESE = ["今天天气很好,我们去公园。", "他买了 iPhone 15 手机"]
CHINESE_REFERENCES = [["今天天气不错,我们去公园玩。"], ["他买了一部 iPhone 15", "他刚买了新手机"]]


def by_place(references: list[list[str]]) -> list[list[str | None]]:
    most = max(map(len, references))
    return [[several[place] if place < len(several) else None for several in references] for place in range(most)]


@pytest.mark.parametrize("references", [ONE, SEVERAL])
def test_bleu_and_chrf_are_sacrebleus_however_many_references_each_text_has(references: list[list[str]]) -> None:
    assert bleu(TEXTS, references, "en").value == sacrebleu.corpus_bleu(TEXTS, by_place(references)).score
    assert chrf(TEXTS, references, "en").value == sacrebleu.corpus_chrf(TEXTS, by_place(references)).score


def test_chinese_bleu_counts_characters() -> None:
    score = bleu(CHINESE, CHINESE_REFERENCES, "zh")
    assert score.value == sacrebleu.corpus_bleu(CHINESE, by_place(CHINESE_REFERENCES), tokenize="zh").score
    assert score.value > bleu(CHINESE, CHINESE_REFERENCES, "en").value  # a sentence would be one word
    assert "tok:zh" in score.signature


def test_bleu_is_the_formula_by_hand() -> None:
    text, reference = list("abcdefg"), list("abcdxfgh")
    logs = []
    for length in range(1, 5):
        ours, theirs = (
            Counter(tuple(words[start : start + length]) for start in range(len(words) - length + 1))
            for words in (text, reference)
        )
        logs.append(math.log((ours & theirs).total() / ours.total()))
    by_hand = 100 * math.exp(sum(logs) / 4) * math.exp(1 - len(reference) / len(text))
    assert bleu([" ".join(text)], [[" ".join(reference)]], "en").value == pytest.approx(by_hand, rel=1e-12)


def test_a_signature_tells_judge_version_tokens_and_references() -> None:
    assert bleu(TEXTS, ONE, "en").signature == (
        f"BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    )
    assert "nrefs:var" in chrf(TEXTS, SEVERAL, "en").signature
    assert rouge(TEXTS, SEVERAL, "en")["rougeL"].signature.startswith(
        "rougeL|nrefs:var, best F1|tok:stemmed words|lang:en|mean of 4 texts|rouge-score 0."
    )


def test_english_rouge_is_rouge_scores_own_with_stemmed_words() -> None:
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    ours = rouge(TEXTS, ONE, "en")
    for name, score in ours.items():
        each = [scorer.score(several[0], text)[name].fmeasure for text, several in zip(TEXTS, ONE, strict=True)]
        assert score.value == pytest.approx(100 * sum(each) / len(each), rel=1e-12)
    assert ours["rouge1"].value > 0


def test_chinese_rouge_is_rouge_scores_on_one_word_per_character() -> None:
    def as_words(text: str) -> str:
        return " ".join(
            f"w{ord(token)}w" if len(token) == 1 else token for token in RougeTokenizer("zh").tokenize(text)
        )

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for name, score in rouge(CHINESE[:1], CHINESE_REFERENCES[:1], "zh").items():
        outside = scorer.score(as_words(CHINESE_REFERENCES[0][0]), as_words(CHINESE[0]))[name].fmeasure
        assert 0 < score.value == pytest.approx(100 * outside, rel=1e-12)


def test_chinese_is_cut_into_characters_and_its_latin_words_and_numbers_stay_whole() -> None:
    assert RougeTokenizer("zh").tokenize("他买了 iPhone 15,好!") == ["他", "买", "了", "iphone", "15", "好"]


def test_words_of_other_languages_keep_their_letters() -> None:
    assert RougeTokenizer("es").tokenize("¿Dónde está el_niño?") == ["dónde", "está", "el", "niño"]
    assert rouge(["él comió"], [["él comió"]], "es")["rouge2"].value == 100


def test_of_several_references_the_one_with_the_highest_f1_counts_for_each_score_on_its_own() -> None:
    first, second = "a b c x", "a c b d"  # more bigrams in the first, more words in the second
    both = rouge(["a b c d"], [[first, second]], "en")
    alone = [rouge(["a b c d"], [[reference]], "en") for reference in (first, second)]
    for name, score in both.items():
        assert score.value == max(one[name].value for one in alone)
    assert both["rouge1"].value == alone[1]["rouge1"].value > alone[0]["rouge1"].value
    assert both["rouge2"].value == alone[0]["rouge2"].value > alone[1]["rouge2"].value


def test_nothing_is_downloaded_for_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a score asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for score in (bleu, chrf, rouge):
        score(TEXTS, ONE, "en")
        score(CHINESE, CHINESE_REFERENCES, "zh")


@pytest.mark.parametrize("score", [bleu, chrf, rouge])
@pytest.mark.parametrize(
    ("texts", "references", "message"),
    [
        ([], [], "0 texts and 0 lists"),
        (["a"], [["a"], ["b"]], "1 texts and 2 lists"),
        (["a", "b"], [["a"], []], r"the references of text 1 are \[\]"),
        (["a"], ["a"], "the references of text 0 are 'a'"),
    ],
)
def test_texts_without_references_are_refused(
    score: Callable[..., Any], texts: list[str], references: list[list[str]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        score(texts, references, "en")


@pytest.mark.parametrize(("score", "package"), [(bleu, "sacrebleu"), (rouge, "rouge_score")])
def test_a_missing_judge_is_told_with_the_line_to_type(
    score: Callable[..., Any], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f'missing: {package}.*\ntype: .* -m pip install "slimlit\\[generation\\]"'):
        score(["a"], [["a"]], "en")
