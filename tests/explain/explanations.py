"""Made-up explanations to draw: English and Chinese, right and wrong, one answer and several, and a default class."""

import numpy as np

from slimlit.explain.records import (
    Answer,
    AttentionPart,
    Example,
    Explanation,
    Grade,
    Map,
    Shares,
    Specials,
    TeacherView,
    Tested,
)
from slimlit.explain.words import Word

METHODS = ("input-gradient", "leave-one-out")


def words_of(text: list[str], is_glued: bool = False) -> list[Word]:
    inner = [Word(word, (place + 1,), is_glued and place > 0) for place, word in enumerate(text)]
    return [Word("[CLS]", (0,), is_special=True), *inner, Word("[SEP]", (len(text) + 1,), is_special=True)]


def an_answer(
    words: list[Word], says: str = "positive", seed: int = 0, is_default: bool = False, **more: object
) -> Answer:
    random = np.random.default_rng(seed)
    tests = (Tested(0.4, 0.02, 0.1, 0.3, 0.2), Tested(0.4, 0.02, 0.1, 0.3, 0.4))
    grades = ("planted truth passed, weights failed", None)
    maps = [
        Map(name, random.normal(size=len(words)).tolist(), *found, specials=Specials(-1.25, 0.4))
        for name, *found in zip(METHODS, tests, grades, strict=True)
    ]
    return Answer(says, 0.98, [(says, 0.98), ("negative", 0.02)], is_default, maps, **more)  # type: ignore[arg-type]


def an_example(name: str, words: list[Word], *answers: Answer, layers: int = 3, heads: int = 4) -> Example:
    size = len(words)
    weights = np.random.default_rng(1).dirichlet(np.full(size, 0.3), size=(layers, heads, size))
    return Example(name, words, list(answers), [AttentionPart("attention", weights, (0, size), (0, size))])


def an_explanation() -> Explanation:
    english = words_of(["A", "gorgeous", "movie", "</script>", "<b>", "not", "once", "dull"])
    chinese = words_of(list("这部电影的音乐非常精彩"), is_glued=True)
    plain, long = words_of(["the", "the"]), words_of(["word"] * 120)
    shares = Shares([0.1] * 10, [0.25] * 10, -0.5, 2.0)
    teacher = TeacherView("negative", 0.7, 0.3, [Map("input-gradient", [0.1] * len(chinese))], [0.8125])
    return Explanation(
        "first",
        "first",
        "sequence_classification",
        [
            an_example("test example 3", english, an_answer(english, expected="positive", shares=shares)),
            an_example("text 2", chinese, an_answer(chinese, expected="negative", teacher=teacher)),
            an_example("text 3", plain, an_answer(plain, is_default=True)),
            an_example("text 4", long, an_answer(long), layers=6, heads=12),
            an_example("text 5", english, *(an_answer(english, english[at].text, at, place=at) for at in (1, 2, 5))),
        ],
        [
            Grade(
                "input-gradient",
                "planted truth passed, weights failed",
                "planted truth passed (97 %)",
                "it rests on 9 texts",
            )
        ],
        "runs/teacher",
        ["The first 5 of 9 texts."],
    )
