"""Tasks: LightningModules that wrap a student and perhaps its teacher, with a head's names and metrics."""

from slimlit.tasks.seq2seq import Seq2Seq
from slimlit.tasks.sequence_classification import SequenceClassification

__all__ = ["Seq2Seq", "SequenceClassification"]
