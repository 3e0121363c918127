"""Scores of generated texts, by the judges the field reports: BLEU and chrF by sacrebleu, ROUGE by rouge-score."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from itertools import zip_longest
from types import ModuleType

_MISSING = """\
generated texts are scored by a package that is missing: {package}
type: {python} -m pip install "slimlit[generation]\""""
_CHARACTER_OR_WORD = re.compile(r"[a-z0-9]+|[^\W_]")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class TextScore:
    """A score from 0 to 100 over all texts, and the signature to report with it: who counted, and how."""

    value: float
    signature: str


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]], language: str) -> TextScore:
    """BLEU of all texts together, case kept, Chinese cut into characters and other languages by the rule 13a.

    Guarantees:
        - it is sacrebleu's corpus BLEU, to the last bit, however many references each text has.

    Args:
        hypotheses: the generated texts.
        references: for each of them one or more texts to compare it with.
        language: ``en``, ``zh`` ...

    Raises:
        ValueError: the numbers of texts differ, one has no reference, or sacrebleu is missing.

    Source: Papineni et al. 2002; Post 2018, arXiv:1804.08771 (signature, tokenisers).
    """
    _check(hypotheses, references)
    metric = _judge("sacrebleu").BLEU(tokenize="zh" if language == "zh" else "13a", force=True)
    score = metric.corpus_score(hypotheses, _by_place(references)).score
    return TextScore(float(score), f"BLEU|{metric.get_signature()}")


def chrf(hypotheses: Sequence[str], references: Sequence[Sequence[str]], language: str) -> TextScore:
    """chrF2 of all texts together: character n-grams up to 6, in any language without a tokeniser.

    Guarantees:
        - it is sacrebleu's corpus chrF2, to the last bit, however many references each text has.

    Args:
        hypotheses: the generated texts.
        references: for each of them one or more texts to compare it with.
        language: it stands in the signature and changes nothing.

    Raises:
        ValueError: the numbers of texts differ, one has no reference, or sacrebleu is missing.

    Source: Popović 2015, W15-3049; Post 2018, arXiv:1804.08771.
    """
    _check(hypotheses, references)
    metric = _judge("sacrebleu").CHRF()
    score = metric.corpus_score(hypotheses, _by_place(references)).score
    return TextScore(float(score), f"chrF2|{metric.get_signature()}|lang:{language}")


def rouge(hypotheses: Sequence[str], references: Sequence[Sequence[str]], language: str) -> dict[str, TextScore]:
    """The F1 of ``rouge1``, ``rouge2`` and ``rougeL``, each the mean over texts.

    English words are stemmed and lower-cased as in the Perl script; Chinese is cut into characters, its Latin words and
    numbers whole; other languages into words of lower-case letters and digits of any script.

    Guarantees:
        - it is rouge-score's own number on those tokens, and nothing is downloaded for it;
        - of several references the one with the highest F1 counts, for each of the three on its own (as for SciTLDR).

    Args:
        hypotheses: the generated texts.
        references: for each of them one or more texts to compare it with.
        language: ``en``, ``zh`` ...

    Raises:
        ValueError: the numbers of texts differ, one has no reference, or rouge-score is missing.

    Source: Lin 2004, W04-1013; several references: Cachola et al. 2020, arXiv:2004.15011, section 5.
    """
    _check(hypotheses, references)
    names = ("rouge1", "rouge2", "rougeL")
    if language == "en":
        scorer = _judge("rouge_score.rouge_scorer").RougeScorer(names, use_stemmer=True)
    else:
        scorer = _judge("rouge_score.rouge_scorer").RougeScorer(names, tokenizer=RougeTokenizer(language))
    scores = [scorer.score_multi(list(several), text) for text, several in zip(hypotheses, references, strict=True)]
    tokens = {"en": "stemmed words", "zh": "characters"}.get(language, "words")
    counts = {len(several) for several in references}
    signature = (
        f"nrefs:{counts.pop() if len(counts) == 1 else 'var'}, best F1|tok:{tokens}|lang:{language}"
        f"|mean of {len(scores)} texts|rouge-score {version('rouge-score')}"
    )
    return {
        name: TextScore(100 * sum(float(one[name].fmeasure) for one in scores) / len(scores), f"{name}|{signature}")
        for name in names
    }


class RougeTokenizer:
    """Cuts a text for ROUGE where rouge-score's own rule, which knows ASCII letters only, would drop it."""

    def __init__(self, language: str) -> None:
        self.pattern = _CHARACTER_OR_WORD if language == "zh" else _WORD

    def tokenize(self, text: str) -> list[str]:
        """The tokens, in lower case, without punctuation."""
        return self.pattern.findall(text.lower())


def _check(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    if not hypotheses or len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} texts and {len(references)} lists of references\nexpected as many of both, and at least one"
        )
    for row, several in enumerate(references):
        if isinstance(several, str) or not several:
            raise ValueError(f"the references of text {row} are {several!r}\nexpected a list of one or more texts")


def _by_place(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """All first references, all second ones ..., as sacrebleu takes them."""
    return [list(place) for place in zip_longest(*references)]


def _judge(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as missing:
        raise ValueError(_MISSING.format(package=missing.name, python=sys.executable)) from missing
