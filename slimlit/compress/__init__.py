"""Make a network smaller: take away heads, feed-forward and hidden units, layers and words, and hold the rest in fewer bits."""

from slimlit.compress.plans import Plan
from slimlit.compress.pruning import prune
from slimlit.compress.quantising import quantise
from slimlit.compress.recipes import FewerWords, Pruned

__all__ = ["FewerWords", "Plan", "Pruned", "prune", "quantise"]
