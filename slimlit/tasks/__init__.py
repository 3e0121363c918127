"""Tasks: LightningModules that wrap a student and perhaps its teacher, with a head's names and metrics."""

from slimlit.tasks.causal_lm import CausalLM
from slimlit.tasks.masked_lm import MaskedLM
from slimlit.tasks.seq2seq import Seq2Seq
from slimlit.tasks.sequence_classification import SequenceClassification
from slimlit.tasks.token_classification import TokenClassification

__all__ = ["CausalLM", "MaskedLM", "Seq2Seq", "SequenceClassification", "TokenClassification"]
