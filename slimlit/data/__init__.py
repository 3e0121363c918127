"""Data modules: texts from files to batches."""

from slimlit.data.module import TextModule
from slimlit.data.pairs import Pairs
from slimlit.data.text_classification import TextClassification

__all__ = ["Pairs", "TextClassification", "TextModule"]
