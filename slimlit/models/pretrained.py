"""``Pretrained``: a model as it is, from a run, a bundled package, a folder or the hub."""

from collections.abc import Sequence

from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel

from slimlit.models.network import Network, name_labels
from slimlit.models.pooling import Pooling
from slimlit.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig, without_pooler
from slimlit.models.sources import find, read_architectures, read_config


class Pretrained(Network):
    """A pretrained model: a classifier keeps its head; a plain encoder gets a fresh one.

    Args:
        source: a run (``runs/teacher``), a bundled name (``minilm``), a Hugging Face folder, or a hub name.
        pooling: how a fresh head reads the hidden states. None keeps a classifier's own head (and means ``mean`` for a
            plain encoder).
    """

    def __init__(self, source: str, pooling: Pooling | None = None) -> None:
        self.source = source
        self.pooling = pooling

    def config(self, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The source's own configuration, or that of a classifier around it."""
        config = read_config(self.source)
        if self._is_classifier() and self.pooling is None:
            return config
        encoder = config.encoder if isinstance(config, SequenceClassifierConfig) else config
        return SequenceClassifierConfig(encoder=encoder, pooling=self.pooling or "mean")

    def build(self, labels: Sequence[str], teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The model with its weights, in float32."""
        config = self.config()
        place = find(self.source)
        if self._is_classifier() and self.pooling is None:
            name_labels(config, labels)
            return AutoModelForSequenceClassification.from_pretrained(place, config=config, dtype="float32")
        name_labels(config, labels)
        classifier = SequenceClassifier(config)
        if isinstance(read_config(self.source), SequenceClassifierConfig):
            classifier.encoder = SequenceClassifier.from_pretrained(place, dtype="float32").encoder
        else:
            extra = without_pooler(config.encoder)
            classifier.encoder = AutoModel.from_pretrained(place, dtype="float32", **extra)
        return classifier

    @property
    def tokenizer_source(self) -> str:
        """The source itself: models travel with their tokenizers."""
        return self.source

    @property
    def label_names(self) -> list[str] | None:
        """The names in the source's configuration, where it has a trained head that is kept."""
        if self.pooling is not None or not self._is_classifier():
            return None
        id2label: dict[int, str] = read_config(self.source).id2label
        return [id2label[number] for number in sorted(id2label)]

    def _is_classifier(self) -> bool:
        return any(
            name.endswith(("ForSequenceClassification", SequenceClassifier.__name__))
            for name in read_architectures(self.source)
        )
