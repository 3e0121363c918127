"""Data modules: texts from files to batches."""

from slimlit.data.dialogues import Dialogues
from slimlit.data.module import TextModule
from slimlit.data.text_classification import TextClassification

__all__ = ["Dialogues", "TextClassification", "TextModule"]
