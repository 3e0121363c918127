"""What an exported translator may write is what ``generate`` may write."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, GenerationConfig, LogitsProcessorList
from transformers.generation.logits_process import (
    MinLengthLogitsProcessor,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
)

from slimlit.export.rules import refuse_rules, rules_of
from tests.export.test_translator import SMALL, T5


def test_rules_bar_the_words_that_generate_bars() -> None:
    network = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **SMALL, **T5))
    told = {"bad_words_ids": [[0], [9]], "no_repeat_ngram_size": 2, "min_length": 5}
    network.generation_config = GenerationConfig(decoder_start_token_id=0, eos_token_id=1, **told)
    rules, random = rules_of(network), np.random.default_rng(0)
    theirs = LogitsProcessorList(
        [
            NoRepeatNGramLogitsProcessor(2),
            NoBadWordsLogitsProcessor([[0], [9]], eos_token_id=torch.tensor([1])),
            MinLengthLogitsProcessor(5, 1),
        ]
    )
    for length in range(9):
        words = random.integers(0, 4, length).tolist()
        logits = random.normal(size=60).astype(np.float32)
        logits[[0, 1, 2, 3, 9]] += 6  # what may be barred is likeliest
        wanted = theirs(torch.tensor([[0, *words]]), torch.from_numpy(logits)[None].clone()).argmax()
        assert rules.choose(logits, words, is_last=False) == int(wanted)


def test_rules_that_no_program_beside_an_export_knows_are_told() -> None:
    network = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **SMALL, **T5))
    network.generation_config = GenerationConfig(decoder_start_token_id=0, repetition_penalty=1.5)
    with pytest.raises(ValueError, match="writes with repetition_penalty 1.5"):
        rules_of(network)


def test_a_causal_model_that_obeys_any_rule_is_told(toy_decoder: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(toy_decoder)
    refuse_rules(network)
    network.generation_config.bad_words_ids = [[7]]
    with pytest.raises(ValueError, match=r"writes with bad_words_ids \[\[7\]\]"):
        refuse_rules(network)


def test_lengths_and_ends_are_what_generate_takes_them_for() -> None:
    network = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **SMALL, **T5))
    told = {"min_length": 9, "min_new_tokens": 2, "forced_eos_token_id": [3, 1], "max_new_tokens": 12}
    network.generation_config = GenerationConfig(decoder_start_token_id=0, **told)
    rules = rules_of(network)
    assert (rules.least, rules.last, rules.most) == (2, 1, 12)
