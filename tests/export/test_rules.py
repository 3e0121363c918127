"""What an exported translator may write is what ``generate`` may write."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, GenerationConfig, LogitsProcessorList
from transformers.generation.logits_process import (
    MinLengthLogitsProcessor,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
)

from slimlit.export.rules import rules_of
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
        assert rules.choose(logits, words, [1], is_last=False) == int(wanted)


def test_rules_that_no_program_beside_an_export_knows_are_told() -> None:
    network = AutoModelForSeq2SeqLM.from_config(AutoConfig.for_model("t5", **SMALL, **T5))
    network.generation_config = GenerationConfig(decoder_start_token_id=0, repetition_penalty=1.5)
    with pytest.raises(ValueError, match="writes with repetition_penalty 1.5"):
        rules_of(network)
