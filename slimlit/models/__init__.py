"""Networks: load a teacher, make a student of it, and read what they say."""

from transformers import PreTrainedModel

from slimlit.models.fresh import Fresh
from slimlit.models.frozen import Frozen
from slimlit.models.network import Head, Network
from slimlit.models.pretrained import Pretrained
from slimlit.models.quantised import QuantisedConfig
from slimlit.models.reading import read
from slimlit.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.shrunk import Shrunk

__all__ = [
    "Fresh",
    "Frozen",
    "Head",
    "Network",
    "PreTrainedModel",
    "Pretrained",
    "QuantisedConfig",
    "SequenceClassifier",
    "SequenceClassifierConfig",
    "Shrunk",
    "read",
]
