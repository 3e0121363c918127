"""``Shrunk``: a student made of a teacher: some of its layers, narrower if wanted, with every weight that still fits."""

from transformers import PreTrainedConfig, PreTrainedModel

from slimlit.models.architectures import STOCK, base_config, check_kind
from slimlit.models.network import Head, Network, name_labels
from slimlit.models.pooling import Pooling
from slimlit.models.pretrained import Pretrained
from slimlit.models.sequence_classifier import SequenceClassifier, SequenceClassifierConfig
from slimlit.models.shrinking import Size, carry_over, same_stack, shrink


class Shrunk(Network):
    """A student with the teacher's vocabulary and some of its layers.

    Every weight whose shape is the teacher's starts as the teacher's; the others start fresh. With all of ``layers`` and
    no other setting the student is the teacher's encoder; with every width changed it is a small fresh model.

    Args:
        layers: which of the teacher's layers to keep, counted from 1, in order.
        decoder_layers: the same of its decoder, where it is an encoder-decoder; ``layers`` unless given.
        hidden_size: width of the student; the teacher's unless given.
        intermediate_size: width of its feed-forward layers; scaled with ``hidden_size`` unless given.
        num_attention_heads: attention heads of each layer; scaled with ``hidden_size`` unless given.
        pooling: how the head of a text classifier reads the hidden states.
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
        decoder_layers: list[int] | None = None,
    ) -> None:
        self.size = Size(layers, decoder_layers, hidden_size, intermediate_size, num_attention_heads)
        self.pooling = pooling
        self.num_pooling_heads = num_pooling_heads
        self.of = of

    def config(self, head: Head, teacher: PreTrainedConfig | None = None) -> PreTrainedConfig:
        """The teacher's configuration, shrunk.

        Raises:
            ValueError: no teacher to shrink, layers it does not have, or heads that do not divide the width.
        """
        if self.of is not None:
            teacher = Pretrained(self.of).config(head)
        if teacher is None:
            raise ValueError("slimlit.models.Shrunk has nothing to shrink: give the task a teacher, or set of: MODEL")
        small = shrink(base_config(teacher), self.size)
        check_kind(small, head.kind)
        if head.kind != "sequence_classification":
            return small
        if small.is_encoder_decoder:
            raise ValueError(f"a {small.model_type} has an encoder and a decoder\nuse an encoder to classify texts")
        return SequenceClassifierConfig(encoder=small, pooling=self.pooling, num_pooling_heads=self.num_pooling_heads)

    def build(self, head: Head, teacher: PreTrainedModel | None = None) -> PreTrainedModel:
        """The student, carrying over every weight of the teacher whose shape still fits."""
        if self.of is not None:
            teacher = Pretrained(self.of).build(head)
        config = self.config(head, None if teacher is None else teacher.config)
        assert teacher is not None  # config() refuses
        if head.labels:
            name_labels(config, head.labels)
        layers, decoder_layers = self.size.layers, self.size.decoder_layers
        if head.kind != "sequence_classification":
            model: PreTrainedModel = STOCK[head.kind].from_config(config)
            carry_over(*same_stack(teacher, model), layers, decoder_layers)
            if teacher.can_generate():
                model.generation_config = teacher.generation_config
            return model
        student = SequenceClassifier(config)
        carry_over(teacher.base_model, student.encoder, layers)
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
