"""Which stock architecture carries which head, and what transformers calls it."""

from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    AutoModelForTokenClassification,
    PreTrainedConfig,
)

from slimlit.models.network import Kind
from slimlit.models.sequence_classifier import SequenceClassifierConfig

STOCK: dict[Kind, Any] = {
    "token_classification": AutoModelForTokenClassification,
    "causal_lm": AutoModelForCausalLM,
    "masked_lm": AutoModelForMaskedLM,
    "seq2seq_lm": AutoModelForSeq2SeqLM,
}
ENDINGS: dict[Kind, tuple[str, ...]] = {
    "sequence_classification": ("ForSequenceClassification", "SequenceClassifier"),
    "token_classification": ("ForTokenClassification",),
    "causal_lm": ("ForCausalLM", "LMHeadModel"),
    "masked_lm": ("ForMaskedLM", "ForPreTraining"),
    "seq2seq_lm": ("ForConditionalGeneration", "MTModel"),
}


def base_config(config: PreTrainedConfig) -> PreTrainedConfig:
    """The configuration of a stock architecture: of our own classifier, its encoder's."""
    return config.encoder if isinstance(config, SequenceClassifierConfig) else config


def check_kind(config: PreTrainedConfig, kind: Kind) -> None:
    """The architecture has a head of that kind in transformers.

    Raises:
        ValueError: it has none.
    """
    if kind in STOCK and type(config) not in STOCK[kind]._model_mapping:
        examples = {
            "causal_lm": "GPT-2, Llama or SmolLM2",
            "masked_lm": "BERT, ELECTRA or ModernBERT",
            "seq2seq_lm": "Marian, BART or T5",
            "token_classification": "BERT, ELECTRA or ModernBERT",
        }
        raise ValueError(
            f"a {config.model_type} has no {STOCK[kind].__name__.removeprefix('AutoModelFor')} head\n"
            f"use an architecture that has: {examples[kind]}"
        )
