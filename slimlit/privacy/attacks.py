"""Membership inference: whether a text was trained on, told from what the model says of it; and how well that can be told."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, norm, rankdata

Numbers = npt.NDArray[np.floating]
Whole = npt.NDArray[np.integer]
Item = TypeVar("Item")
Score = Callable[[list[Item]], Numbers]
LEVELS = (0.01, 0.001)  # false-positive rates at which an attack is looked at
_LEAST = 3  # false positives a level must leave room for


@dataclass(frozen=True)
class Texts:
    """What an attack reads of some texts.

    Args:
        logits: of the model, ``(texts, classes)``.
        labels: the class of each text.
        words: the numbers of its tokens.
    """

    logits: Numbers
    labels: Whole
    words: Sequence[Whole]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Whole) -> "Texts":
        """Those rows, in that order."""
        return Texts(self.logits[rows], self.labels[rows], [self.words[row] for row in rows.tolist()])


@dataclass(frozen=True)
class Attack:
    """The scores an attack gives to members and to others, high where it takes a text for a member.

    Args:
        name: of the attack.
        members: scores of texts trained on.
        others: scores of texts not trained on.
        is_crossed: whether each half's scores come from what was fitted on the other half.
    """

    name: str
    members: Numbers
    others: Numbers
    is_crossed: bool = False

    @property
    def auc(self) -> float:
        """The probability that a member has a higher score than another text; one half is blind guessing."""
        ranks = rankdata(np.concatenate([self.members, self.others]))[: len(self.members)]
        return float((ranks.mean() - (len(self.members) + 1) / 2) / len(self.others))

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """A confidence interval of the AUC; for crossed scores as wide as if one half of the texts were all there are.

        Crossed halves depend on each other: with the plain width, 10 to 14 of 100 attacks on nothing raised an alarm.

        Source: DeLong, DeLong, Clarke-Pearson 1988, by ranks as in Sun & Xu 2014.
        """
        m, n = len(self.members), len(self.others)
        ranks = rankdata(np.concatenate([self.members, self.others]))
        above = (ranks[:m] - rankdata(self.members)) / n  # the others below each member
        below = 1 - (ranks[m:] - rankdata(self.others)) / m  # the members above each other text
        variance = (above.var(ddof=1) / m + below.var(ddof=1) / n) * (2 if self.is_crossed else 1)
        deviation = math.sqrt(variance) * float(norm.ppf((1 + confidence) / 2))
        return max(0.0, self.auc - deviation), min(1.0, self.auc + deviation)

    def curve(self) -> tuple[Numbers, Numbers]:
        """False-positive and true-positive rates of all thresholds, from calling nobody a member to calling everybody one."""
        scores = np.concatenate([self.members, self.others])
        order = np.argsort(-scores, kind="stable")
        last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of equal scores
        is_member = np.arange(len(scores))[order] < len(self.members)
        true = np.append(0, np.cumsum(is_member)[last]) / len(self.members)
        false = np.append(0, np.cumsum(~is_member)[last]) / len(self.others)
        return false, true

    def rate_at(self, level: float) -> float | None:
        """The true-positive rate at a false-positive rate of at most ``level``; None where too few texts could tell."""
        if len(self.others) * level < _LEAST:
            return None
        false, true = self.curve()
        return float(true[false <= level + 1e-12].max())

    def advantage(self, seed: int = 0) -> float:
        """True-positive less false-positive rate, the threshold chosen on one half of the texts and used on the other.

        Source: Yeom et al. 2018, arXiv:1709.01604, Definition 4.
        """
        random = np.random.default_rng(seed)
        ours, theirs = _halves(len(self.members), random), _halves(len(self.others), random)
        found = []
        for chosen, used in ((0, 1), (1, 0)):
            half = Attack(self.name, self.members[ours[chosen]], self.others[theirs[chosen]])
            false, true = half.curve()
            thresholds = np.append(np.inf, np.unique(np.concatenate([half.members, half.others]))[::-1])
            threshold = thresholds[int(np.argmax(true - false))]
            rates = [np.mean(part >= threshold) for part in (self.members[ours[used]], self.others[theirs[used]])]
            found.append(rates[0] - rates[1])
        return float(np.mean(found))


def rate_interval(rate: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """A confidence interval of a share seen among ``count``.

    Source: Clopper & Pearson 1934.
    """
    right, tail = round(rate * count), (1 - confidence) / 2
    low = 0.0 if right == 0 else float(beta.ppf(tail, right, count - right + 1))
    return low, 1.0 if right == count else float(beta.ppf(1 - tail, right + 1, count - right))


def confidence_of(logits: Numbers, labels: Whole) -> Numbers:
    """``log(p_y / (1 - p_y))``, the confidence in the label on the scale of logits; near a normal law over models.

    Source: Carlini et al. 2022, arXiv:2112.03570, section IV-C.
    """
    rows = np.arange(len(labels))
    others = logits.astype(np.float64)
    of_label = others[rows, labels].copy()
    others[rows, labels] = -np.inf
    top = others.max(axis=1)
    return np.asarray(of_label - top - np.log(np.exp(others - top[:, None]).sum(axis=1)))


def over_labels(logits: Numbers, labels: Whole) -> Numbers:
    """``mean_c loss(c) - loss(y)``: how much less the loss is than expected, where the label was drawn evenly.

    The expectation over the label needs no reference model: of a text that was not trained on, the label is independent
    of all the model knows.
    """
    whole = logits.astype(np.float64)
    return np.asarray(whole[np.arange(len(labels)), labels] - whole.mean(axis=1))


class WordCounts:
    """Naive Bayes over tokens: a small classifier in closed form, its evidence averaged over a text's tokens.

    Args:
        words: the numbers of each text's tokens.
        classes: the class of each text.
        num_classes: how many there are.
        num_words: size of the vocabulary.
    """

    def __init__(self, words: Sequence[Whole], classes: Whole, num_classes: int, num_words: int) -> None:
        counts = np.ones((num_classes, num_words))
        for of_text, number in zip(words, classes.tolist(), strict=True):
            np.add.at(counts[number], of_text, 1)
        self.logs = np.log(counts / counts.sum(axis=1, keepdims=True))

    def __call__(self, words: Sequence[Whole]) -> Numbers:
        """The mean log-probability of each text's tokens under each class, ``(texts, classes)``."""
        return np.asarray([self.logs[:, of_text].mean(axis=1) for of_text in words])


def by_loss(members: Texts, others: Texts) -> Attack:
    """The lower the loss, the likelier a member.

    Source: Yeom et al. 2018, arXiv:1709.01604, Adversary 2.
    """
    found, rest = (confidence_of(texts.logits, texts.labels) for texts in (members, others))  # falls as the loss grows
    return Attack("loss", found, rest)


def by_likelihood_ratio(members: Texts, others: Texts, reference: Texts, num_words: int, seed: int = 0) -> Attack:
    """The likelihood of (confidence, difficulty) among members over that among others, two normal laws of two numbers.

    The confidence is the model's in the label; the difficulty is that of :class:`WordCounts` fitted on ``reference``,
    which are others too and are attacked by nobody. The laws are fitted on one half of the texts and read off on the
    other, and the halves swapped.

    Source: after Carlini et al. 2022, arXiv:2112.03570, with a calibrating model in place of shadow models (Watson et al.
    2022, arXiv:2111.08440).
    """
    num_classes = members.logits.shape[1]
    easy = WordCounts(reference.words, reference.labels, num_classes, num_words)

    def features(texts: Texts) -> list[Numbers]:
        ease = confidence_of(easy(texts.words), texts.labels)
        return list(np.stack([confidence_of(texts.logits, texts.labels), ease], axis=1))

    def fit(some: list[Numbers], rest: list[Numbers]) -> Score[Numbers]:
        laws = [_normal_law(np.asarray(part)) for part in (some, rest)]
        return lambda part: laws[0](np.asarray(part)) - laws[1](np.asarray(part))

    return _crossed("likelihood ratio", features(members), features(others), fit, seed)


def by_words(members: Texts, others: Texts, num_words: int, seed: int = 0) -> Attack:
    """A blind attack that never asks the model: which words members have, and others have not.

    What it finds is a difference of the splits and no leak; an attack on the model tells something only beyond it.

    Source: Das, Zhang, Tramèr 2024, arXiv:2406.16201.
    """

    def fit(some: list[Whole], rest: list[Whole]) -> Score[Whole]:
        counts = WordCounts([*some, *rest], np.repeat([0, 1], [len(some), len(rest)]), 2, num_words)
        return lambda part: counts(part) @ np.asarray([1.0, -1.0])

    return _crossed("words alone", list(members.words), list(others.words), fit, seed)


def _crossed(
    name: str, members: list[Item], others: list[Item], fit: Callable[[list[Item], list[Item]], Score[Item]], seed: int
) -> Attack:
    """Fit on one half of members and others, score the other half, and the other way round."""
    random = np.random.default_rng(seed)
    ours, theirs = _halves(len(members), random), _halves(len(others), random)
    scores = np.zeros(len(members)), np.zeros(len(others))
    for fitted, used in ((0, 1), (1, 0)):
        score = fit([members[row] for row in ours[fitted]], [others[row] for row in theirs[fitted]])
        scores[0][ours[used]] = score([members[row] for row in ours[used]])
        scores[1][theirs[used]] = score([others[row] for row in theirs[used]])
    return Attack(name, *scores, is_crossed=True)


def _normal_law(points: Numbers) -> Callable[[Numbers], Numbers]:
    """The logarithm of the normal density with the points' mean and covariance, but for a constant."""
    mean = points.mean(axis=0)
    spread = np.cov(points, rowvar=False) + np.diag(1e-3 * points.var(axis=0) + 1e-6)  # of points on a line, too
    inverse, size = np.linalg.inv(spread), np.linalg.slogdet(spread)[1]
    return lambda at: np.asarray(-0.5 * (np.einsum("ni,ij,nj->n", at - mean, inverse, at - mean) + size))


def _halves(count: int, random: np.random.Generator) -> tuple[Whole, Whole]:
    order = random.permutation(count)
    return order[: count // 2], order[count // 2 :]
