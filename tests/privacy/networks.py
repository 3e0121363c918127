"""Small networks of many architectures, a padded batch, and one loss an example for each."""

from collections.abc import Callable
from typing import Any

import torch
import transformers as hf
from torch import Tensor, nn
from torch.nn import functional

from slimlit.losses import (
    AttentionRelations,
    HardLabels,
    HiddenStates,
    PoolingWeights,
    SoftTargets,
    TokenShares,
    WeightedSum,
)
from slimlit.models import SequenceClassifier, SequenceClassifierConfig, read
from slimlit.types import Batch

WORDS = 61
_SIZES: dict[str, Any] = {
    "vocab_size": WORDS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
_BERT: dict[str, Any] = {**_SIZES, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_GPT2: dict[str, Any] = {
    **{"vocab_size": WORDS, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "pad_token_id": 0},
    **{"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "bos_token_id": 1, "eos_token_id": 1},
}
_BART: dict[str, Any] = {
    **{"vocab_size": WORDS, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2},
    **{"decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 40},
    **{"dropout": 0.0, "pad_token_id": 0, "decoder_start_token_id": 1, "forced_eos_token_id": None},
}
_T5: dict[str, Any] = {
    **{"vocab_size": WORDS, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2},
    **{"dropout_rate": 0.0, "decoder_start_token_id": 0},
}

ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {
    "bert": lambda: hf.BertForSequenceClassification(hf.BertConfig(**_BERT)),
    "bert, tied language model": lambda: hf.BertForMaskedLM(hf.BertConfig(**_BERT)),
    "bert, untied language model": lambda: hf.BertForMaskedLM(hf.BertConfig(**_BERT, tie_word_embeddings=False)),
    "distilbert": lambda: hf.DistilBertForSequenceClassification(
        hf.DistilBertConfig(
            **{"vocab_size": WORDS, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
            **{"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0},
        )
    ),
    "roberta": lambda: hf.RobertaForSequenceClassification(hf.RobertaConfig(**_BERT, pad_token_id=0)),
    "electra": lambda: hf.ElectraForSequenceClassification(hf.ElectraConfig(**_BERT, embedding_size=12)),
    "albert, layers shared": lambda: hf.AlbertForSequenceClassification(
        hf.AlbertConfig(**_BERT, embedding_size=12, classifier_dropout_prob=0.0)
    ),
    "gpt2, tied": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**_GPT2)),
    "gpt2, untied": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(**_GPT2, tie_word_embeddings=False)),
    "gpt2, classifier": lambda: hf.GPT2ForSequenceClassification(hf.GPT2Config(**_GPT2)),
    "llama": lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**_SIZES)),
    "qwen2": lambda: hf.Qwen2ForCausalLM(hf.Qwen2Config(**_SIZES, num_key_value_heads=1)),
    "t5, tied": lambda: hf.T5ForConditionalGeneration(hf.T5Config(**_T5)),
    "t5, untied": lambda: hf.T5ForConditionalGeneration(hf.T5Config(**_T5, tie_word_embeddings=False)),
    "bart": lambda: hf.BartForConditionalGeneration(hf.BartConfig(**_BART)),
    "marian": lambda: hf.MarianMTModel(hf.MarianConfig(**_BART)),
    "ours, attention pooling": lambda: ours(16),
}


def ours(width: int, heads: int = 2) -> SequenceClassifier:
    """Our classifier without dropout."""
    encoder = hf.BertConfig(**{**_BERT, "hidden_size": width, "num_attention_heads": heads})
    return SequenceClassifier(
        SequenceClassifierConfig(encoder=encoder, num_labels=3, num_pooling_heads=2, classifier_dropout=0.0)
    )


def make(name: str, seed: int = 0) -> nn.Module:
    """A network of that architecture, in training mode, with weights large enough for gradients of every parameter."""
    torch.manual_seed(seed)
    network = ARCHITECTURES[name]()
    for parameter in network.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.15)
    return network.train()


def make_batch(size: int = 7, tokens: int = 7, padded: bool = True, seed: int = 1) -> Batch:
    """As many examples as tokens, so that nothing can tell the two dimensions apart by their lengths."""
    random = torch.Generator().manual_seed(seed)
    mask = torch.ones(size, tokens, dtype=torch.long)
    if padded:
        for row in range(size):
            mask[row, tokens - row % 4 :] = 0
    ids = torch.randint(2, WORDS, (size, tokens), generator=random) * mask
    labels = torch.randint(0, 2, (size,), generator=random)
    return Batch(input_ids=ids, attention_mask=mask, labels=labels, example_id=torch.arange(size))


def pick(batch: Batch, rows: slice) -> Batch:
    """Some examples of a batch."""
    return Batch(**{name: tensor[rows] for name, tensor in batch.items()})  # type: ignore[typeddict-item, index]


def losses_of(network: nn.Module, batch: Batch) -> Tensor:
    """The mean cross-entropy of each example's tokens, or of its label."""
    inputs = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
    if network.config.is_encoder_decoder:  # type: ignore[union-attr]
        inputs["decoder_input_ids"] = batch["input_ids"]
    logits = network(**inputs).logits
    if logits.dim() == 2:
        return functional.cross_entropy(logits, batch["labels"], reduction="none")
    real = batch["attention_mask"]
    return (functional.cross_entropy(logits.transpose(1, 2), batch["input_ids"], reduction="none") * real).sum(
        1
    ) / real.sum(1)


class Distilled(nn.Module):
    """A student, a wider teacher and a loss with projections between them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.student, self.teacher = ours(16).train(), ours(24, heads=3).eval()
        relations = AttentionRelations(2, 1, relation_heads=4, weights=(1.0, 0.5, 2.0))
        parts = {
            "hard": HardLabels(0.1),
            "soft": SoftTargets(2.0),
            "hidden": HiddenStates([(1, 2), (0, 0), (2, 1)]),
            "relations": relations,
            "pooling": PoolingWeights(),
            "shares": TokenShares(),
        }
        self.loss = WeightedSum(parts, {"soft": 0.5}) if kind == "sum" else parts[kind]
        self.loss.prepare(self.student, self.teacher)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.15)
        for network in (self.student, self.teacher):  # so that poolings differ enough for gradients well above 1e-6
            nn.init.normal_(network.get_parameter("pooling.energy.weight"), std=8.0)
        self.teacher.requires_grad_(False)

    def losses(self, batch: Batch) -> Tensor:
        """One number an example."""
        with torch.no_grad():
            teacher = read(self.teacher, batch, self.loss.teacher_needs)
        return self.loss(read(self.student, batch, self.loss.student_needs), teacher, batch)


def trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}
