"""The whole exam on a toy, its grades, and how they are kept and shown."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
import torch

from slimlit.explain.exam import Exam, Grade, Interval, Lessons, draw_exam, examine, table_of
from slimlit.explain.method import Method
from slimlit.explain.methods import METHODS
from slimlit.explain.question import answer, removable
from slimlit.models import PreTrainedModel
from tests.explain.exam.test_planted import SPECIAL, classifier, texts

__all__ = ["classifier"]


def interval(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high)


GAINS = {
    f"{name} {measure}": interval(0.1, 0.2)
    for name in ("comprehensiveness", "sufficiency")
    for measure in ("probability", "margin")
}
GOOD = Grade(
    {"one word": interval(0.95, 1.0), "order of two words": interval(0.8, 0.9)},
    GAINS,
    {"head and top layer": interval(0.3, 0.4), "every weight": interval(-0.1, 0.1)},
    2.5,
)


def test_each_part_is_passed_by_its_own_rule() -> None:
    assert GOOD.passed == {"planted truth": True, "removal": True, "weights": True}
    missed = replace(GOOD, planted={**GOOD.planted, "order of two words": interval(0.79, 0.99)})
    assert missed.passed == {"planted truth": False, "removal": True, "weights": True}
    by_chance = replace(GOOD, removal={**GAINS, "sufficiency margin": interval(0.0, 0.4)})
    assert by_chance.passed == {"planted truth": True, "removal": False, "weights": True}
    stays = replace(GOOD, weights={**GOOD.weights, "head and top layer": interval(0.45, 0.5)})
    assert stays.passed == {"planted truth": True, "removal": True, "weights": False}


def test_what_could_not_be_tested_is_neither_passed_nor_failed() -> None:
    assert replace(GOOD, planted={}).passed["planted truth"] is None
    assert "planted truth not tested;" in str(replace(GOOD, planted={}))


def test_a_grade_is_said_in_three_parts_and_never_one_number() -> None:
    assert str(GOOD) == (
        "planted truth passed (98 % and 85 %); removal passed (+0.15 of probability); weights passed (0.35 and 0.00)"
    )


@pytest.fixture(scope="module")
def exam(classifier: PreTrainedModel) -> Exam:
    batch, question = texts(rows=8)
    question = replace(question, classes=answer(classifier, batch, question).argmax(1))
    methods: dict[str, Method] = {name: METHODS[name] for name in ("leave-one-out", "pooling-weights", "random")}
    may_go = removable(batch, question, SPECIAL)
    state = torch.get_rng_state()
    found = examine(
        classifier, batch, question, methods, may_go, truths=("one word",), num_noises=2, facts={"split": "toy"}
    )
    assert torch.equal(torch.get_rng_state(), state)  # nothing is drawn from the run's own numbers
    return found


def test_the_sure_method_finds_the_truth_and_a_random_one_does_not(exam: Exam) -> None:
    assert exam.lessons["one word"].is_learned
    assert exam.grades["leave-one-out"].passed["planted truth"]
    assert not exam.grades["random"].passed["planted truth"]
    assert not exam.grades["random"].passed["removal"]
    assert exam.facts == {"texts": 8, "compared": 8, "noises": 2, "seed": 0, "split": "toy"}
    assert exam.noise_chance is not None
    assert 0.1 < exam.noise_chance < 0.4


def test_an_exam_survives_its_file(exam: Exam) -> None:
    assert Exam.from_json(exam.to_json()) == exam
    with pytest.raises(ValueError, match="no exam of explanations"):
        Exam.from_json('{"grades": {}}')


def test_the_table_has_a_row_a_method_and_says_what_the_copies_learned(exam: Exam) -> None:
    table = table_of(exam)
    assert "it rests on 8 texts; 8 of them compared with 2 copies of noise; one copy a planted truth, seed 0" in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["leave-one-out", "pooling-weights", "random"]
    assert len({row.count("|") for row in rows}) == 1
    assert "one word: a copy learned it to" in table
    unlearned = replace(exam, lessons={"one word": Lessons(0.71, 300, 0.1, False)})
    assert "one word: not tested, the copy learned it only to 0.71" in table_of(unlearned)


def test_the_picture_has_a_frame_and_two_curves_a_method(exam: Exam) -> None:
    picture = ElementTree.fromstring(draw_exam(exam))
    kinds = [part.get("class") for part in picture.iter()]
    assert [kinds.count(kind) for kind in ("frame", "line one", "line chance")] == [3, 3, 3]
    texts = {part.text for part in picture.iter() if part.tag.endswith("text")}
    assert {"leave-one-out", "pooling-weights", "random"} <= texts
