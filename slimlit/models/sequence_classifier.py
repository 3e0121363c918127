"""A text classifier any encoder can carry: encoder, pooling, one linear layer; saved and loaded like any Hugging Face model."""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from slimlit.models.narrow_attention import narrowed
from slimlit.models.pooling import AttentionPooling, Pooling, make_pooling


class SequenceClassifierConfig(PreTrainedConfig):
    """Any encoder's configuration, and how its hidden states are pooled and read.

    ``head_dim`` is the width of the encoder's attention heads, where fewer of them were kept than its own class knows of.
    """

    __no_type_check__ = True  # transformers makes this a dataclass whose __init__ takes more than its fields
    model_type = "slimlit_sequence_classifier"
    sub_configs = {"encoder": AutoConfig}  # noqa: RUF012 (transformers' own convention)

    encoder: Any = None  # a configuration, or its settings as config.json holds them
    pooling: Pooling = "attention"
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

    @property
    def hidden_size(self) -> int:
        """Width of the encoder."""
        return int(self.encoder.hidden_size)

    @property
    def num_hidden_layers(self) -> int:
        """Layers of the encoder."""
        return int(self.encoder.num_hidden_layers)

    @property
    def num_attention_heads(self) -> int:
        """Attention heads of each layer of the encoder."""
        return int(self.encoder.num_attention_heads)

    @property
    def vocab_size(self) -> int:
        """Rows of the encoder's embedding table."""
        return int(self.encoder.vocab_size)

    @property
    def pad_token_id(self) -> int | None:
        """The encoder's padding token."""
        number: int | None = self.encoder.pad_token_id
        return number

    @pad_token_id.setter
    def pad_token_id(self, number: int | None) -> None:
        self.encoder.pad_token_id = number  # other libraries write it: the Trainer of transformers, interpreto


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """Logits ``(batch, classes)``, pooling weights ``(batch, pooling_heads, tokens)``, loss and hidden states where asked for."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    pooling_weights: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class SequenceClassifier(PreTrainedModel):
    """``P(y|x) = softmax(W_softmax . att(W_att . [h_1 ... h_n]))`` over the hidden states of any encoder.

    After the pooling everything is linear, so each token's share of a logit is ``a_i (W_softmax h_i)`` exactly.

    Guarantees:
        - padded tokens, and tokens hidden by ``pooling_mask``, get a pooling weight of exactly zero;
        - ``save_pretrained`` then ``from_pretrained`` gives the same logits.
    """

    config_class = SequenceClassifierConfig
    base_model_prefix = "encoder"
    _supports_sdpa = True
    _supports_attention_backend = True

    def __init__(self, config: SequenceClassifierConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config.encoder, config.head_dim)
        self.pooling = make_pooling(config.pooling, config.hidden_size, config.num_pooling_heads)
        self.dropout = nn.Dropout(config.classifier_dropout)
        heads = config.num_pooling_heads if config.pooling == "attention" else 1
        self.classifier = nn.Linear(heads * config.hidden_size, config.num_labels)
        self.takes_token_types = "token_type_ids" in inspect.signature(self.encoder.forward).parameters
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, AttentionPooling):
            nn.init.zeros_(module.energy.weight)
        elif module is self.classifier:
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)

    def get_input_embeddings(self) -> nn.Module:
        """The encoder's word embeddings."""
        embeddings: nn.Module = self.encoder.get_input_embeddings()
        return embeddings

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the encoder's word embeddings."""
        self.encoder.set_input_embeddings(value)

    def forward(
        self,
        input_ids: Int[Tensor, "batch tokens"] | None = None,
        attention_mask: Int[Tensor, "batch tokens"] | None = None,
        token_type_ids: Int[Tensor, "batch tokens"] | None = None,
        pooling_mask: Int[Tensor, "batch tokens"] | None = None,
        inputs_embeds: Float[Tensor, "batch tokens width"] | None = None,
        labels: Int[Tensor, " batch"] | None = None,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        position_ids: Int[Tensor, "batch tokens"] | None = None,
    ) -> SequenceClassifierOutput:
        """Logits and pooling weights; hidden states where asked for; the mean cross-entropy where labels are given."""
        given = {"input_ids": input_ids, "inputs_embeds": inputs_embeds}
        inputs: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        tokens = input_ids if input_ids is not None else inputs_embeds
        if tokens is None:
            raise ValueError("a classifier needs input_ids or inputs_embeds; neither came")
        if attention_mask is None:
            attention_mask = torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)
        if token_type_ids is not None and self.takes_token_types:
            inputs["token_type_ids"] = token_type_ids
        if position_ids is not None:
            inputs["position_ids"] = position_ids
        encoded = self.encoder(**inputs, attention_mask=attention_mask, output_hidden_states=output_hidden_states)
        visible = attention_mask.bool() if pooling_mask is None else (attention_mask * pooling_mask).bool()
        pooled, weights = self.pooling(encoded.last_hidden_state, visible)
        logits = self.classifier(self.dropout(pooled))
        return SequenceClassifierOutput(
            loss=None if labels is None else nn.functional.cross_entropy(logits, labels),
            logits=logits,
            pooling_weights=weights,
            hidden_states=encoded.hidden_states if output_hidden_states else None,
        )


def make_encoder(config: PreTrainedConfig, head_dim: int | None = None) -> PreTrainedModel:
    """A fresh encoder of that configuration, without the pooler some architectures add.

    Args:
        config: of the encoder.
        head_dim: width of its heads, where it is not hidden size over heads.
    """
    if head_dim is not None:
        return narrowed(config, head_dim, make_encoder)
    return AutoModel.from_config(config, **without_pooler(config))


def without_pooler(config: PreTrainedConfig) -> dict[str, bool]:
    """The constructor argument that leaves out an encoder's own pooler, where its class has one."""
    model_class = AutoModel._model_mapping[type(config)]
    takes_it = "add_pooling_layer" in inspect.signature(model_class.__init__).parameters
    return {"add_pooling_layer": False} if takes_it else {}


AutoConfig.register(SequenceClassifierConfig.model_type, SequenceClassifierConfig)
AutoModelForSequenceClassification.register(SequenceClassifierConfig, SequenceClassifier)
