"""Losses over a whole vocabulary, a block of tokens at a time: logits of all tokens are never held at once."""

from slimlit.types import TopWords
from slimlit.vocabulary.functions import shared_words, top_k_divergence, vocabulary_cross_entropy, vocabulary_divergence
from slimlit.vocabulary.over_words import over_words
from slimlit.vocabulary.teacher_target import Divergence
from slimlit.vocabulary.top_words import top_words

__all__ = [
    "Divergence",
    "TopWords",
    "over_words",
    "shared_words",
    "top_k_divergence",
    "top_words",
    "vocabulary_cross_entropy",
    "vocabulary_divergence",
]
