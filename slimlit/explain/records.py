"""What an explanation says, as plain records: examples, their answers, the maps of each, and how each map was tested."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from slimlit.explain.words import Word

LEAST_GAIN = 0.01  # of a probability; less is told from chance by nobody


@dataclass(frozen=True)
class Tested:
    """How faithful one map is, beside random orders of the same words; all are of the answer's probability.

    Comprehensiveness is the drop where the map's first words are taken away (more is better), sufficiency where only they are
    kept (less is better). The random ones are means of
    random orders; ``luckiest`` is the largest comprehensiveness less sufficiency of one of them.
    """

    comprehensiveness: float
    sufficiency: float
    random_comprehensiveness: float
    random_sufficiency: float
    luckiest: float

    @property
    def beats_random(self) -> bool:
        """Whether it is better than chance in both, by more than what counts as a change, and in their sum than every random order.

        Guarantees:
            - of random maps, one in thirteen is called better at most, beside twelve random orders.
        """
        gains = self.comprehensiveness - self.random_comprehensiveness, self.random_sufficiency - self.sufficiency
        return min(gains) > LEAST_GAIN and self.comprehensiveness - self.sufficiency > self.luckiest


@dataclass(frozen=True)
class Specials:
    """What special tokens ([CLS], [SEP]) have of a map: their sum, and their share of all its numbers without signs."""

    total: float
    share: float


@dataclass(frozen=True)
class Map:
    """What one method says of an answer: a number a word, positive where the word spoke for it; its test and its grade.

    No test takes special tokens away, and often they have more than any word. So they are not drawn: ``specials`` says their sum.
    """

    method: str
    heat: list[float]
    tested: Tested | None = None
    grade: str | None = None
    specials: Specials | None = None

    def drawn(self, words: Sequence[Word]) -> Float[np.ndarray, " words"]:
        """The numbers of the text's words; zero for special tokens."""
        return np.asarray([0.0 if word.is_special else value for value, word in zip(self.heat, words, strict=True)])


@dataclass(frozen=True)
class Shares:
    """The logit of an answer as an exact sum: ``sum of shares + bias = logit``; and the pooling weight of each word."""

    weights: list[float]
    shares: list[float]
    bias: float
    logit: float


@dataclass(frozen=True)
class TeacherView:
    """The teacher's answer, what it gives the student's, and its maps by method with their rank correlation with the student's."""

    says: str
    probability: float
    probability_of_answer: float
    maps: list[Map] = field(default_factory=list)
    correlations: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class Answer:
    """One thing the network says, at a word of the text (``place``) or of the whole text.

    ``is_default`` where taking any word away, or all of them, changes nothing: then no map says anything.
    """

    says: str
    probability: float
    likely: list[tuple[str, float]]
    is_default: bool
    maps: list[Map]
    expected: str | None = None
    place: int | None = None
    shares: Shares | None = None
    teacher: TeacherView | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether another answer was expected."""
        return self.expected is not None and self.expected != self.says


@dataclass(frozen=True)
class AttentionPart:
    """Attention of one kind, by layer and head, of words ``rows`` to words ``columns`` (first and last + 1)."""

    name: str
    weights: Float[np.ndarray, "layers heads rows columns"]
    rows: tuple[int, int]
    columns: tuple[int, int]


@dataclass(frozen=True)
class Example:
    """A text with its words, what was asked of it, and where the network looked."""

    name: str
    words: list[Word]
    answers: list[Answer]
    attention: list[AttentionPart] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)  # words the pooling could not see
    sides: list[tuple[str, int]] = field(default_factory=list)  # where a second text begins: its name, its first word
    note: str = ""


@dataclass(frozen=True)
class Grade:
    """What the exam found of a method on this run: its grade, why in words, and what that rests on."""

    method: str
    grade: str
    why: str
    basis: str = ""


@dataclass(frozen=True)
class Explanation:
    """All that one call of ``slimlit explain`` found."""

    run: str
    source: str  # what --run takes
    kind: str
    examples: list[Example]
    grades: list[Grade] | None = None
    teacher: str | None = None
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Everything but the attention maps, as JSON can hold it."""
        found = asdict(self)
        for example in found["examples"]:
            del example["attention"]
        return found
