"""``Grade`` and ``Exam``: what each method showed in each part, passed or not, and never one number."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from slimlit.explain.exam.intervals import Interval

FOUND = 0.8  # of the planted truth, at the lower end of its interval
ALIKE = 0.5  # rank correlation with noise, without sign, at the upper end: a quarter of what the ranks vary
PARTS = ("planted truth", "removal", "weights")


@dataclass(frozen=True)
class Grade:
    """What one method showed, in three parts.

    - **planted truth**: of the words that decide, in a copy that was taught so, the share that the map puts on top. Passed where
      the lower end of the interval is :data:`FOUND` or more, for every truth the copy learned; not tested where it learned none.
    - **removal**: what the strongest words cost when they go (comprehensiveness) and keep when they alone stay (sufficiency), more
      than random ones. Passed where the lower end is above 0 for both, in probability and in margin.
    - **weights**: the rank correlation, without sign, of the maps with those of the same network turned to noise, several times.
      Passed where the upper end is below :data:`ALIKE` at every depth. Random maps have some 0.2, more where texts are short.

    No part can stand for another, so they are never added up: a map can be right about the words and not about the network (it
    stays when the weights go), can remove well and miss what decides, can change with the weights and mean nothing.

    Args:
        planted: share of the truth found, by truth.
        removal: gain over random orders, by ``comprehensiveness probability`` and so on.
        weights: rank correlation, by what was turned to noise.
        milliseconds: of CPU for each text.
    """

    planted: Mapping[str, Interval]
    removal: Mapping[str, Interval]
    weights: Mapping[str, Interval]
    milliseconds: float

    @property
    def passed(self) -> dict[str, bool | None]:
        """Whether it passed, by part; None where it could not be tested."""
        return {
            "planted truth": all(one.low >= FOUND for one in self.planted.values()) if self.planted else None,
            "removal": all(one.low > 0 for one in self.removal.values()) if self.removal else None,
            "weights": all(one.high < ALIKE for one in self.weights.values()) if self.weights else None,
        }

    def __str__(self) -> str:
        """One line, as it stands beside a drawn map."""
        marks = {True: "passed", False: "failed", None: "not tested"}
        told = [f"{part} {marks[passed]}{_said(numbers)}" for (part, passed), numbers in self._parts()]
        return "; ".join(told)

    def _parts(self) -> list[tuple[tuple[str, bool | None], str]]:
        gain = self.removal.get("comprehensiveness probability")
        numbers = (
            " and ".join(f"{100 * one.mean:.0f} %" for one in self.planted.values()),
            "" if gain is None else f"{gain.mean:+.2f} of probability",
            " and ".join(f"{one.mean:.2f}" for one in self.weights.values()),
        )
        return list(zip(self.passed.items(), numbers, strict=True))


def _said(numbers: str) -> str:
    return f" ({numbers})" if numbers else ""


@dataclass(frozen=True)
class Lessons:
    """How a copy learned a planted truth: accuracy on fresh texts, steps, and what a random map finds."""

    accuracy: float
    num_steps: int
    chance: float
    is_learned: bool


@dataclass(frozen=True)
class Exam:
    """The grades of every method on one network and its texts.

    Args:
        grades: by method.
        curves: mean probability of the answer along the deletion curve, by method; ``random order`` among them.
        shares: of the words that are gone at each point of a curve.
        lessons: by planted truth.
        default_share: share of the texts whose answer no word matters to (:func:`slimlit.explain.exam.is_default`).
        noise_chance: what two random maps of the compared texts have in the place of rank correlation without sign;
            None of an exam by the rule before, with sign.
        facts: how many texts, which seed, and whatever says when the exam has to be taken again.
    """

    grades: Mapping[str, Grade]
    curves: Mapping[str, list[float]]
    shares: list[float]
    lessons: Mapping[str, Lessons]
    default_share: float
    noise_chance: float | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """All of it, and whether each part was passed, for those who read no Python."""
        told = asdict(self)
        for name, grade in self.grades.items():
            told["grades"][name]["passed"] = grade.passed
        return json.dumps(told, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Exam":
        """The exam that :meth:`to_json` wrote.

        Raises:
            ValueError: it is no exam, or one of another version.
        """
        try:
            told = json.loads(text)
            grades = {name: _grade(one) for name, one in told.pop("grades").items()}
            lessons = {name: Lessons(**one) for name, one in told.pop("lessons").items()}
            return cls(grades=grades, lessons=lessons, **told)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as problem:
            raise ValueError(
                f"this is no exam of explanations: {problem}\ntake it again: slimlit explain --exam"
            ) from problem


def _grade(told: dict[str, Any]) -> Grade:
    parts = {
        part: {name: Interval(**one) for name, one in told[part].items()} for part in ("planted", "removal", "weights")
    }
    return Grade(**parts, milliseconds=told["milliseconds"])
