"""Losses: outputs and batch in, one number per example out."""

from slimlit.losses.attention_relations import AttentionRelations
from slimlit.losses.base import Loss
from slimlit.losses.hard_labels import HardLabels
from slimlit.losses.hidden_states import HiddenStates
from slimlit.losses.pooling_weights import PoolingWeights
from slimlit.losses.soft_targets import SoftTargets
from slimlit.losses.token_shares import TokenShares
from slimlit.losses.top_targets import TopTargets
from slimlit.losses.vocabulary_labels import VocabularyLabels
from slimlit.losses.vocabulary_targets import VocabularyTargets
from slimlit.losses.weighted_sum import WeightedSum

__all__ = [
    "AttentionRelations",
    "HardLabels",
    "HiddenStates",
    "Loss",
    "PoolingWeights",
    "SoftTargets",
    "TokenShares",
    "TopTargets",
    "VocabularyLabels",
    "VocabularyTargets",
    "WeightedSum",
]
