"""Data modules: LightningDataModules that turn text into batches."""

from slimlit.data.text_classification import TextClassification

__all__ = ["TextClassification"]
