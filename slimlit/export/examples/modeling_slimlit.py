"""A text classifier made with slimlit: any encoder, pooling with weights that can be shown, one linear layer.

transformers reads this file with ``trust_remote_code=True``. It needs nothing but torch and transformers.
"""

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput


class SequenceClassifierConfig(PreTrainedConfig):
    """Any encoder's configuration, and how its hidden states are pooled and read."""

    model_type = "slimlit_sequence_classifier"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012

    encoder: Any = None
    pooling: str = "attention"
    num_pooling_heads: int = 1
    classifier_dropout: float = 0.1
    head_dim: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if self.encoder is None:
            self.encoder = AutoConfig.for_model("bert")
        elif isinstance(self.encoder, dict):
            settings = dict(self.encoder)
            self.encoder = AutoConfig.for_model(settings.pop("model_type"), **settings)
        super().__post_init__(**kwargs)


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """Logits ``(batch, classes)`` and pooling weights ``(batch, pooling_heads, tokens)``."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    pooling_weights: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class Pooling(nn.Module):
    """Weighted sums of the hidden states: by learned attention, equal weights, or the first token's alone."""

    def __init__(self, kind: str, width: int, num_heads: int) -> None:
        super().__init__()
        self.kind, self.scale = kind, width**0.5
        if kind == "attention":
            self.energy = nn.Linear(width, num_heads, bias=False)

    def forward(self, hidden_states: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """The pooled vectors and the weights of the tokens, zero where a token is not visible."""
        if self.kind == "cls":
            weights = torch.zeros(visible.shape, dtype=torch.float32, device=visible.device)
            weights[:, 0] = 1.0
            return hidden_states[:, 0], weights.unsqueeze(1)
        seen = visible.unsqueeze(1)
        if self.kind == "mean":
            weights = seen.float() / seen.sum(dim=2, keepdim=True).clamp(min=1)
        else:
            energies = self.energy(hidden_states).float().transpose(1, 2) * self.scale
            weights = torch.softmax(energies.masked_fill(~seen, torch.finfo(energies.dtype).min), dim=-1) * seen
        readable = hidden_states.masked_fill(~visible.unsqueeze(-1), 0.0)
        return torch.matmul(weights.to(readable.dtype), readable).flatten(1), weights


def with_fewer_heads(config: PreTrainedConfig, head_dim: int, settings: dict[str, Any]) -> PreTrainedModel:
    """A BERT, RoBERTa, ELECTRA or DistilBERT whose heads have a width of their own, so that some could be taken away."""
    stock = copy.deepcopy(config)
    stock.num_attention_heads = 1  # divides any width
    encoder = AutoModel.from_config(stock, **settings)
    heads = int(config.num_attention_heads)
    for name, module in encoder.named_modules():
        if name.endswith(("attention.self", "attention")) and "attention_head_size" in module.__dict__:
            module.attention_head_size, module.scaling = head_dim, head_dim**-0.5
            for part in ("query", "key", "value", "q_lin", "k_lin", "v_lin"):
                if hasattr(module, part):
                    setattr(module, part, nn.Linear(getattr(module, part).in_features, head_dim * heads))
            if hasattr(module, "out_lin"):
                module.out_lin, module.n_heads = nn.Linear(head_dim * heads, module.out_lin.out_features), heads
            else:
                module.num_attention_heads, module.all_head_size = heads, head_dim * heads
        elif name.endswith("attention.output"):
            module.dense = nn.Linear(head_dim * heads, module.dense.out_features)
    for part in encoder.modules():
        if isinstance(part, PreTrainedModel):
            part.config.num_attention_heads = heads
    return encoder


class SequenceClassifier(PreTrainedModel):
    """Encoder, pooling, one linear layer: a token's share of a logit is its weight times what the layer says of its state."""

    config_class = SequenceClassifierConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: SequenceClassifierConfig) -> None:
        super().__init__(config)
        encoder_class = AutoModel._model_mapping[type(config.encoder)]
        takes_it = "add_pooling_layer" in inspect.signature(encoder_class.__init__).parameters
        settings = {"add_pooling_layer": False} if takes_it else {}
        if config.head_dim is None:
            self.encoder = AutoModel.from_config(config.encoder, **settings)
        else:
            self.encoder = with_fewer_heads(config.encoder, config.head_dim, settings)
        width = int(config.encoder.hidden_size)
        self.pooling = Pooling(config.pooling, width, config.num_pooling_heads)
        self.dropout = nn.Dropout(config.classifier_dropout)
        heads = config.num_pooling_heads if config.pooling == "attention" else 1
        self.classifier = nn.Linear(heads * width, config.num_labels)
        self.takes_token_types = "token_type_ids" in inspect.signature(self.encoder.forward).parameters
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        pooling_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool = False,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Logits and pooling weights; the mean cross-entropy where labels are given."""
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        types = {"token_type_ids": token_type_ids} if token_type_ids is not None and self.takes_token_types else {}
        encoded = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=output_hidden_states, **types
        )
        visible = attention_mask.bool() if pooling_mask is None else (attention_mask * pooling_mask).bool()
        pooled, weights = self.pooling(encoded.last_hidden_state, visible)
        logits = self.classifier(self.dropout(pooled))
        return SequenceClassifierOutput(
            loss=None if labels is None else nn.functional.cross_entropy(logits, labels),
            logits=logits,
            pooling_weights=weights,
            hidden_states=encoded.hidden_states if output_hidden_states else None,
        )
