"""``Shrunk``: a student made of a teacher: some of its layers, narrower if wanted, with every weight that still fits."""

import copy
from collections.abc import Sequence

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from slimlit.models.network import Network, name_labels
from slimlit.models.pooling import Pooling
from slimlit.models.pretrained import Pretrained
from slimlit.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig

_FEED_FORWARD = {"distilbert": "hidden_dim"}  # what an architecture calls its feed-forward width, where it differs


class Shrunk(Network):
    """A student with the teacher's vocabulary and some of its layers.

    Every weight whose shape is the teacher's starts as the teacher's; the others start fresh. With all of ``layers`` and
    no other setting the student is the teacher's encoder; with every width changed it is a small fresh model.

    Args:
        layers: which of the teacher's layers to keep, counted from 1, in order.
        hidden_size: width of the student; the teacher's unless given.
        intermediate_size: width of its feed-forward layers; scaled with ``hidden_size`` unless given.
        num_attention_heads: attention heads of each layer; scaled with ``hidden_size`` unless given.
        pooling: how the head reads the hidden states.
        num_pooling_heads: heads of the attention pooling.
        of: the model to make it of, where that is not the task's teacher.
    """

    def __init__(
        self,
        layers: list[int],
        hidden_size: int | None = None,
        intermediate_size: int | None = None,
        num_attention_heads: int | None = None,
        pooling: Pooling = "attention",
        num_pooling_heads: int = 1,
        of: str | None = None,
    ) -> None:
        self.layers = layers
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_attention_heads = num_attention_heads
        self.pooling = pooling
        self.num_pooling_heads = num_pooling_heads
        self.of = of

    def config(self, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The teacher's configuration, shrunk.

        Raises:
            ValueError: no teacher to shrink, layers it does not have, or heads that do not divide the width.
        """
        if self.of is not None:
            teacher = Pretrained(self.of).config()
        if teacher is None:
            raise ValueError("slimlit.models.Shrunk has nothing to shrink: give the task a teacher, or set of: MODEL")
        encoder = copy.deepcopy(teacher.encoder if isinstance(teacher, SequenceClassifierConfig) else teacher)
        depth = int(encoder.num_hidden_layers)
        if not self.layers or any(not 1 <= layer <= depth for layer in self.layers):
            raise ValueError(
                f"layers {self.layers} asked of a teacher of {depth} layers\nexpected numbers from 1 to {depth}"
            )
        encoder.num_hidden_layers = len(self.layers)
        encoder.dtype = torch.float32  # of a source saved in half precision the student would be made in it
        feed_forward = _FEED_FORWARD.get(encoder.model_type, "intermediate_size")
        if not hasattr(encoder, feed_forward) or encoder.is_encoder_decoder:
            raise ValueError(
                f"a {encoder.model_type} cannot be shrunk: no plain stack of encoder layers with {feed_forward}\n"
                "use an encoder such as BERT, RoBERTa, DistilBERT, ELECTRA or ModernBERT"
            )
        scale = 1.0 if self.hidden_size is None else self.hidden_size / encoder.hidden_size
        inner = self.intermediate_size or max(1, round(getattr(encoder, feed_forward) * scale))
        setattr(encoder, feed_forward, inner)
        encoder.num_attention_heads = self.num_attention_heads or max(1, round(encoder.num_attention_heads * scale))
        encoder.hidden_size = self.hidden_size or encoder.hidden_size
        if encoder.hidden_size % encoder.num_attention_heads:
            raise ValueError(
                f"hidden_size {encoder.hidden_size} does not divide into {encoder.num_attention_heads} attention heads\n"
                "set num_attention_heads to a divisor of it"
            )
        return SequenceClassifierConfig(encoder=encoder, pooling=self.pooling, num_pooling_heads=self.num_pooling_heads)

    def build(self, labels: Sequence[str], teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The student, carrying over every weight of the teacher whose shape still fits."""
        if self.of is not None:
            teacher = Pretrained(self.of).build(labels)
        config = self.config(None if teacher is None else teacher.config)
        assert teacher is not None  # config() refuses
        name_labels(config, labels)
        student = SequenceClassifier(config)
        carry_over(teacher.base_model, student.encoder, self.layers)
        if (
            isinstance(teacher, SequenceClassifier)
            and teacher.classifier.weight.shape == student.classifier.weight.shape
        ):
            student.classifier.load_state_dict(teacher.classifier.state_dict())
        return student

    def made_of(self) -> list[str]:
        """The model it is made of, where that is not the task's teacher."""
        return [] if self.of is None else [self.of]

    @property
    def tokenizer_source(self) -> str | None:
        """That of the model it is made of."""
        return self.of


def carry_over(teacher: PreTrainedModel, student: PreTrainedModel, layers: Sequence[int]) -> list[str]:
    """Copy the teacher's weights into the student where shapes allow; student layer ``i`` takes teacher layer ``layers[i]``.

    Returns the names of the student's weights that did not fit and stay as they are.
    """
    source, target = teacher.state_dict(), student.state_dict()
    stack = _layer_stack(student)
    fresh = []
    for name, weight in target.items():
        origin = name
        if name.startswith(stack):
            number, _, rest = name.removeprefix(stack).partition(".")
            origin = f"{stack}{layers[int(number)] - 1}.{rest}"
        if origin in source and source[origin].shape == weight.shape:
            weight.copy_(source[origin])
        else:
            fresh.append(name)
    return fresh


def _layer_stack(encoder: PreTrainedModel) -> str:
    """The state-dict prefix of the encoder's list of layers: ``encoder.layer.`` for BERT."""
    depth = int(encoder.config.num_hidden_layers)
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return f"{name}."
    raise ValueError(
        f"{type(encoder).__name__} keeps no list of its {depth} layers, so none can be chosen\nuse another teacher"
    )
