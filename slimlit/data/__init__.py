"""Data modules: texts from files to batches."""

from slimlit.data.dialogues import Dialogues
from slimlit.data.language_modelling import LanguageModelling
from slimlit.data.masking import Masking
from slimlit.data.module import TextModule
from slimlit.data.pairs import Pairs
from slimlit.data.tagging import Tagging
from slimlit.data.text_classification import TextClassification

__all__ = ["Dialogues", "LanguageModelling", "Masking", "Pairs", "Tagging", "TextClassification", "TextModule"]
