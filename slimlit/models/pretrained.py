"""``Pretrained``: a model as it is, from a run, a bundled package, a folder or the hub."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

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
            return load_whole(AutoModelForSequenceClassification, place, config=config)
        name_labels(config, labels)
        classifier = SequenceClassifier(config)
        if isinstance(read_config(self.source), SequenceClassifierConfig):
            classifier.encoder = load_whole(SequenceClassifier, place).encoder
        else:
            classifier.encoder = load_whole(AutoModel, place, **without_pooler(config.encoder))
        return classifier

    def made_of(self) -> list[str]:
        """The source."""
        return [self.source]

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


def load_whole(model_class: Any, place: str, **settings: Any) -> PreTrainedModel:
    """A pretrained model in float32, every weight of which was in the folder; what the folder has beyond that is left.

    Raises:
        ValueError: a weight is not there, or has another shape, and would silently start as noise.
    """
    try:
        with quiet_files():
            model, found = model_class.from_pretrained(place, dtype="float32", output_loading_info=True, **settings)
    except SafetensorError as problem:
        raise ValueError(f"the weights at {place} are damaged: {problem}\nfetch or make them again") from problem
    lacking = sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]]))
    if lacking:
        raise ValueError(
            f"the weights at {place} lack {len(lacking)} of {type(model).__name__}'s: {', '.join(lacking[:3])}\n"
            "its config.json does not describe them: use the folder as save_pretrained wrote it"
        )
    return model


@contextmanager
def quiet_files() -> Iterator[None]:
    """Read and write model files without transformers' bars and tables; what matters in them we say ourselves."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
