"""Data modules: texts from files to batches."""

from slimlit.data.language_modelling import LanguageModelling
from slimlit.data.masking import Masking
from slimlit.data.module import TextModule
from slimlit.data.tagging import Tagging
from slimlit.data.text_classification import TextClassification

__all__ = ["LanguageModelling", "Masking", "Tagging", "TextClassification", "TextModule"]
