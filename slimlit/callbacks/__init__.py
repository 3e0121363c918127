"""Callbacks: what goes on beside training; each does one thing, in few hooks, and works with every logger off."""

from slimlit.callbacks.attention_maps import AttentionMaps
from slimlit.callbacks.canaries import Canaries
from slimlit.callbacks.differential_privacy import DifferentialPrivacy
from slimlit.callbacks.entity_report import EntityReport
from slimlit.callbacks.evaluation_report import EvaluationReport
from slimlit.callbacks.explanations import Explanations
from slimlit.callbacks.generation_report import GenerationReport
from slimlit.callbacks.gradual_pruning import GradualPruning
from slimlit.callbacks.quantise import Quantise
from slimlit.callbacks.reply_report import ReplyReport
from slimlit.callbacks.student_writes import StudentWrites
from slimlit.callbacks.teacher_cache import TeacherCache

__all__ = [
    "AttentionMaps",
    "Canaries",
    "DifferentialPrivacy",
    "EntityReport",
    "EvaluationReport",
    "Explanations",
    "GenerationReport",
    "GradualPruning",
    "Quantise",
    "ReplyReport",
    "StudentWrites",
    "TeacherCache",
]
