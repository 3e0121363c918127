"""Tiny random networks of every layout, with heads, units and words to take away."""

import torch
from torch import Tensor
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MarianConfig,
    MarianMTModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from slimlit.models import SequenceClassifier, SequenceClassifierConfig

_SIZE = {
    "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 12,
    "max_position_embeddings": 24,
}  # fmt: skip
_DISTIL = {"vocab_size": 40, "dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 12, "max_position_embeddings": 24}
_TWO_SIDES = {
    "vocab_size": 40, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 12, "decoder_ffn_dim": 12, "max_position_embeddings": 24, "decoder_start_token_id": 0,
}  # fmt: skip
_T5 = {
    "vocab_size": 40,
    "d_model": 16,
    "d_kv": 4,
    "num_heads": 4,
    "d_ff": 12,
    "num_layers": 2,
    "decoder_start_token_id": 0,
}
_SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
MAKERS = {
    "bert": lambda: BertForTokenClassification(BertConfig(**_SIZE, num_labels=3)),
    "masked-bert": lambda: BertForMaskedLM(BertConfig(**_SIZE)),
    "roberta": lambda: RobertaForMaskedLM(RobertaConfig(**_SIZE, pad_token_id=1)),
    "electra": lambda: ElectraForMaskedLM(ElectraConfig(**_SIZE, embedding_size=8)),
    "distilbert": lambda: DistilBertForMaskedLM(DistilBertConfig(**_DISTIL)),
    "modernbert": lambda: ModernBertForMaskedLM(ModernBertConfig(**_SIZE, **_SPECIAL, cls_token_id=1, sep_token_id=2)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**_SIZE, num_key_value_heads=2, tie_word_embeddings=True)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**_SIZE, num_key_value_heads=2, head_dim=8)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=4, n_inner=12, n_positions=24, bos_token_id=1, eos_token_id=1)),
    "t5": lambda: T5ForConditionalGeneration(T5Config(**_T5, feed_forward_proj="gated-gelu")),
    "marian": lambda: MarianMTModel(MarianConfig(**_TWO_SIDES, **_SPECIAL, forced_eos_token_id=None)),
    "bart": lambda: BartForConditionalGeneration(BartConfig(**_TWO_SIDES)),
    "classifier": lambda: SequenceClassifier(SequenceClassifierConfig(encoder=BertConfig(**_SIZE), num_labels=3, num_pooling_heads=2)),
    "distilbert-classifier": lambda: SequenceClassifier(SequenceClassifierConfig(encoder=DistilBertConfig(**_DISTIL), num_labels=3)),
}  # fmt: skip
IDS = torch.tensor([[3, 7, 9, 11, 2, 8]])


def make(name: str) -> PreTrainedModel:
    """A random network, in eval mode, with weights large enough to matter."""
    torch.manual_seed(0)
    network: PreTrainedModel = MAKERS[name]()
    for weight in network.parameters():
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.3)
    return network.eval()


@torch.no_grad()
def run(network: PreTrainedModel, ids: Tensor = IDS) -> Tensor:
    """Its logits."""
    decoder = {"decoder_input_ids": ids} if network.config.is_encoder_decoder else {}
    logits: Tensor = network(input_ids=ids, attention_mask=torch.ones_like(ids), **decoder).logits
    return logits
