"""``Fresh``: a model of any stock architecture that has learned nothing yet."""

from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig, PreTrainedModel

from slimlit.models.architectures import STOCK, check_kind
from slimlit.models.network import Head, Network, name_labels
from slimlit.models.pooling import Pooling
from slimlit.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.tokenizers import load_tokenizer

_SPECIAL = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")


class Fresh(Network):
    """A model to pretrain, or to train from nothing: its vocabulary is a tokenizer's, its weights are random.

    Args:
        model_type: transformers' name of the architecture: ``bert``, ``llama``, ``gpt2``, ``marian``, ``t5``.
        tokenizer: a run, bundled name, folder or hub name; the one of the data.
        settings: of the architecture's configuration, by transformers' names: ``{hidden_size: 256, num_hidden_layers: 4}``.
        pooling: how the head of a text classifier reads the hidden states.
    """

    def __init__(
        self, model_type: str, tokenizer: str, settings: dict[str, Any] | None = None, pooling: Pooling = "attention"
    ) -> None:
        self.model_type = model_type
        self.tokenizer = tokenizer
        self.settings = settings or {}
        self.pooling = pooling

    def config(self, head: Head, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The architecture's configuration with our settings.

        Raises:
            ValueError: no such architecture, or a setting it does not have.
        """
        if self.model_type not in CONFIG_MAPPING:
            raise ValueError(f"transformers has no architecture {self.model_type!r}\nfor example: bert, llama, marian")
        tokenizer = load_tokenizer(self.tokenizer)
        known = AutoConfig.for_model(self.model_type)
        for name in self.settings:
            if not hasattr(known, name):
                raise ValueError(
                    f"a {self.model_type} has no setting {name!r}\nit has: {', '.join(sorted(known.to_dict()))[:400]}"
                )
        special = {name: getattr(tokenizer, name) for name in _SPECIAL if getattr(tokenizer, name) is not None}
        if known.is_encoder_decoder:
            start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.pad_token_id
            special |= {"decoder_start_token_id": start, "forced_eos_token_id": None}
            if tokenizer.eos_token_id is None and tokenizer.sep_token_id is not None:
                special["eos_token_id"] = tokenizer.sep_token_id  # what slimlit.data.Pairs ends a text with
        settings = {"vocab_size": len(tokenizer), **special, **self.settings}
        try:
            config = AutoConfig.for_model(self.model_type, **settings)
        except (ValueError, TypeError) as problem:
            raise ValueError(f"settings of a {self.model_type}: {str(problem).splitlines()[0]}") from problem
        if head.kind == "sequence_classification":
            return SequenceClassifierConfig(encoder=config, pooling=self.pooling)
        check_kind(config, head.kind)
        return config

    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The model with random weights, drawn from the run's seed."""
        config = self.config(head)
        if head.labels:
            name_labels(config, head.labels)
        if head.kind == "sequence_classification":
            return SequenceClassifier(config)
        model: PreTrainedModel = STOCK[head.kind].from_config(config)
        return model

    def made_of(self) -> list[str]:
        """Nothing; what its vocabulary owes to data is the tokenizer's to say."""
        return []

    @property
    def tokenizer_source(self) -> str:
        """The tokenizer it is made for."""
        return self.tokenizer
