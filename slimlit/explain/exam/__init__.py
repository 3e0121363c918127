"""The exam of explanations, in three parts: planted truth, removal against random orders, and weights turned to noise."""

from slimlit.explain.exam.attributing import attribute
from slimlit.explain.exam.default_answer import is_default
from slimlit.explain.exam.examining import examine
from slimlit.explain.exam.faithfulness import Faithfulness, Removal, faithfulness
from slimlit.explain.exam.grades import Exam, Grade, Lessons
from slimlit.explain.exam.intervals import Interval, mean_interval
from slimlit.explain.exam.ranks import rank_correlation
from slimlit.explain.exam.table import draw_exam, table_of

__all__ = [
    "Exam",
    "Faithfulness",
    "Grade",
    "Interval",
    "Lessons",
    "Removal",
    "attribute",
    "draw_exam",
    "examine",
    "faithfulness",
    "is_default",
    "mean_interval",
    "rank_correlation",
    "table_of",
]
