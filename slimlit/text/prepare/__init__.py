"""``slimlit prepare``: raw text to a data set with a report, without torch."""

from slimlit.text.prepare.preparation import Preparation
from slimlit.text.prepare.verb import prepare

__all__ = ["Preparation", "prepare"]
