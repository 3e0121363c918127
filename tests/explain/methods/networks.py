"""A tiny random network of each kind, and a question to it; and one of three neurons, solved by hand."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
    MarianConfig,
    MarianMTModel,
    PreTrainedConfig,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.masking_utils import create_bidirectional_mask
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from slimlit.explain.question import Question
from slimlit.models import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.network import Kind
from slimlit.types import Batch

SMALL: dict[str, Any] = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4}
SMALL |= {"intermediate_size": 32, "initializer_range": 0.2, "pad_token_id": 0, "max_position_embeddings": 32}
PAIR: dict[str, Any] = {"vocab_size": 30, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "init_std": 0.2}
PAIR |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
PAIR |= {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": None}
T5: dict[str, Any] = {"vocab_size": 30, "d_model": 16, "d_kv": 4, "d_ff": 32, "num_layers": 2, "num_heads": 4}

KINDS: tuple[Kind, ...] = ("sequence_classification", "token_classification", "causal_lm", "masked_lm", "seq2seq_lm")


def a_network(kind: Kind, num_pooling_heads: int = 2) -> PreTrainedModel:
    torch.manual_seed(0)
    if kind == "sequence_classification":
        encoder = BertConfig(**SMALL)
        config = SequenceClassifierConfig(encoder=encoder, num_pooling_heads=num_pooling_heads, num_labels=3)
        network = SequenceClassifier(config)
        nn.init.normal_(network.pooling.energy.weight, std=0.3)
        nn.init.normal_(network.classifier.weight)
        nn.init.normal_(network.classifier.bias)
    elif kind == "token_classification":
        network = BertForTokenClassification(BertConfig(**SMALL, num_labels=3))
    elif kind == "masked_lm":
        network = BertForMaskedLM(BertConfig(**SMALL))
    elif kind == "causal_lm":
        network = LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=2, bos_token_id=1, eos_token_id=2))
    else:
        network = MarianMTModel(MarianConfig(**PAIR, max_position_embeddings=32))
    return network.eval()


def a_t5(feed_forward_proj: str = "relu") -> PreTrainedModel:
    torch.manual_seed(0)
    config = T5Config(**T5, decoder_start_token_id=0, initializer_factor=0.5, feed_forward_proj=feed_forward_proj)
    return T5ForConditionalGeneration(config).eval()


def a_batch(kind: Kind, tokens: int = 6) -> Batch:
    """Two texts, of six and three tokens."""
    ids = torch.tensor([[3, 7, 11, 5, 9, 4], [8, 6, 12, 0, 0, 0]])
    mask = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    ids, mask = (nn.functional.pad(part, (0, tokens - 6)) for part in (ids, mask))
    batch = Batch(input_ids=ids, attention_mask=mask, labels=ids, example_id=torch.arange(2))
    if kind == "seq2seq_lm":
        batch["decoder_input_ids"] = nn.functional.pad(torch.tensor([[0, 5, 6, 7], [0, 9, 4, 8]]), (0, tokens - 6))
    return batch


def a_question(kind: Kind) -> Question:
    places = None if kind == "sequence_classification" else torch.tensor([2, 1])
    return Question(torch.tensor([1, 2]), places, kind)


WORDS = {"four": 2, "minus eight": 3, "eight": 4, "minus four": 5, "nothing": 6}
_VALUES = {2: 4.0, 3: -8.0, 4: 8.0, 5: -4.0}


class ThreeNeurons(PreTrainedModel):
    """Words are a value and a key; one head averages values, looking three times as hard at "four"; ``[-h, 2 h]`` for ``h = relu``."""

    config_class = PreTrainedConfig
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self) -> None:
        super().__init__(PreTrainedConfig(num_hidden_layers=1, num_attention_heads=1))
        self.words = nn.Embedding(7, 2)
        self.is_causal = False
        with torch.no_grad():
            self.words.weight.zero_()
            self.words.weight[WORDS["four"], 1] = math.log(3)
            for word, value in _VALUES.items():
                self.words.weight[word, 0] = value
        self.eval()

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, input_ids: Tensor, attention_mask: Tensor, output_hidden_states: bool = False) -> Any:
        vectors = self.words(input_ids)
        mask = create_bidirectional_mask(config=self.config, inputs_embeds=vectors, attention_mask=attention_mask)
        values, keys = vectors.unsqueeze(1).split(1, dim=-1)
        attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        averages, _ = attend(self, torch.ones_like(keys), keys, values, mask, scaling=1.0)
        neuron = torch.relu(averages[:, 0, 0])
        return SequenceClassifierOutput(logits=torch.cat([-neuron, 2 * neuron], dim=1))


def words(*names: str) -> Batch:
    ids = torch.tensor([[WORDS[name] for name in names]])
    return Batch(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, 0], example_id=torch.arange(1))
