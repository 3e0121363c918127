"""``Pretrained``: a model as it is, from a run, a bundled package, a folder or the hub."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from slimlit.models.architectures import ENDINGS, STOCK, base_config, check_kind
from slimlit.models.network import Head, Network, name_labels
from slimlit.models.pooling import Pooling
from slimlit.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig, without_pooler
from slimlit.models.sources import find, read_architectures, read_config


class Pretrained(Network):
    """A pretrained model: one that has the task's kind of head keeps it; a plain encoder gets a fresh one.

    Args:
        source: a run (``runs/teacher``), a bundled name (``minilm``), a Hugging Face folder, or a hub name.
        pooling: how a fresh head of a text classifier reads the hidden states. None keeps a classifier's own head (and
            means ``mean`` for a plain encoder).
    """

    def __init__(self, source: str, pooling: Pooling | None = None) -> None:
        self.source = source
        self.pooling = pooling

    def config(self, head: Head, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The source's own configuration, or that of a text classifier around it."""
        config = read_config(self.source)
        if head.kind != "sequence_classification":
            config = base_config(config)
            check_kind(config, head.kind)
            return config
        if self._keeps_head(head):
            return config
        return SequenceClassifierConfig(encoder=base_config(config), pooling=self.pooling or "mean")

    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The model with its weights, in float32."""
        config = self.config(head)
        place = find(self.source)
        if head.labels:
            name_labels(config, head.labels)
        if head.kind != "sequence_classification":
            if isinstance(read_config(self.source), SequenceClassifierConfig):
                return self._around_encoder(head, config, load_whole(SequenceClassifier, place).encoder)
            return load_whole(STOCK[head.kind], place, fresh_head=not self._keeps_head(head), config=config)
        if self._keeps_head(head):
            return load_whole(AutoModelForSequenceClassification, place, config=config)
        classifier = SequenceClassifier(config)
        if isinstance(read_config(self.source), SequenceClassifierConfig):
            classifier.encoder = load_whole(SequenceClassifier, place).encoder
        else:
            classifier.encoder = load_whole(AutoModel, place, **without_pooler(config.encoder))
        return classifier

    def _around_encoder(self, head: Head, config: PreTrainedConfig, encoder: PreTrainedModel) -> PreTrainedModel:
        model: PreTrainedModel = STOCK[head.kind].from_config(config)
        model.base_model.load_state_dict(encoder.state_dict())
        return model

    def made_of(self) -> list[str]:
        """The source."""
        return [self.source]

    @property
    def tokenizer_source(self) -> str:
        """The source itself: models travel with their tokenizers."""
        return self.source

    def is_trained_for(self, head: Head) -> bool:
        """Whether the source was saved with that kind of head, and it is kept."""
        return self._keeps_head(head)

    def known_labels(self, head: Head) -> list[str] | None:
        """The names in the source's configuration, where it has a trained head of that kind that is kept."""
        if not head.labels or not self._keeps_head(head):
            return None
        id2label: dict[int, str] = read_config(self.source).id2label
        return [id2label[number] for number in sorted(id2label)]

    def _keeps_head(self, head: Head) -> bool:
        if head.kind == "sequence_classification" and self.pooling is not None:
            return False
        return any(name.endswith(ENDINGS[head.kind]) for name in read_architectures(self.source))


def load_whole(model_class: Any, place: str, fresh_head: bool = False, **settings: Any) -> PreTrainedModel:
    """A pretrained model in float32, every weight of which was in the folder; what the folder has beyond that is left.

    Args:
        model_class: with ``from_pretrained``.
        place: the folder or hub name.
        fresh_head: whether weights outside the base model may be lacking, and start fresh.
        settings: for ``from_pretrained``.

    Raises:
        ValueError: a weight is not there, or has another shape, and would silently start as noise.
    """
    try:
        with quiet_files():
            model, found = model_class.from_pretrained(place, dtype="float32", output_loading_info=True, **settings)
    except SafetensorError as problem:
        raise ValueError(f"the weights at {place} are damaged: {problem}\nfetch or make them again") from problem
    lacking = sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]]))
    if fresh_head:
        lacking = [name for name in lacking if name.startswith(f"{model.base_model_prefix}.")]
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
