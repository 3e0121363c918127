"""What travels between the five nouns: a batch of text and what a network says of it.

The shape legend, used in every signature:

=========== ==========================================================================
batch       examples of one batch
tokens      sub-word tokens of the longest example of the batch, padding included
answers     places of one example that are asked something: none of its own for a text's class, else its tokens
classes     labels of a classification task, or words of a vocabulary
vocabulary  words a network can say
width       hidden size of a network
heads       attention heads (or heads of the attention pooling)
head_width  width of one head, ``width / heads``
=========== ==========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, Protocol, TypedDict, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Batch(TypedDict):
    """Texts as a data module hands them over: padded on the right, one row an example.

    ``attention_mask`` is 1 on real tokens and 0 on padding; ``pooling_mask``, where present, is 1 on the tokens an
    attention pooling may look at (stop words are 0). ``example_id`` is the row's number in its split and never changes.

    ``labels`` is the class of each example; or, where places of a text are asked, what place ``[b, t]`` has to say (its class,
    or the word that comes there), -100 where nothing is asked. A language model's labels are shifted already. Where there
    is a decoder, places are those of ``decoder_input_ids``. ``position_ids`` and ``segment_ids`` (0 on padding, from 1 by
    document) come with rows packed of several documents. ``word_ids`` is the word a token belongs to, -1 where to none; a teacher
    with a tokenizer of its own reads ``teacher_input_ids``, and ``teacher_places`` says where in them the words of our places begin.
    """

    input_ids: Int[Tensor, "batch tokens"]
    attention_mask: Int[Tensor, "batch tokens"]
    labels: Int[Tensor, "batch *answers"]
    example_id: Int[Tensor, " batch"]
    token_type_ids: NotRequired[Int[Tensor, "batch tokens"]]
    pooling_mask: NotRequired[Int[Tensor, "batch tokens"]]
    position_ids: NotRequired[Int[Tensor, "batch tokens"]]
    segment_ids: NotRequired[Int[Tensor, "batch tokens"]]
    decoder_input_ids: NotRequired[Int[Tensor, "batch answers"]]
    decoder_attention_mask: NotRequired[Int[Tensor, "batch answers"]]
    word_ids: NotRequired[Int[Tensor, "batch tokens"]]
    teacher_input_ids: NotRequired[Int[Tensor, "batch teacher_tokens"]]
    teacher_attention_mask: NotRequired[Int[Tensor, "batch teacher_tokens"]]
    teacher_places: NotRequired[Int[Tensor, "batch tokens"]]
    teacher: NotRequired["Output"]


@dataclass(frozen=True)
class WordHead:
    """Logits over a vocabulary before they are made: ``hidden @ weight.T + bias``, which may be too large to hold."""

    hidden: Float[Tensor, "batch tokens width"]
    weight: Float[Tensor, "vocabulary width"]
    bias: Float[Tensor, " vocabulary"] | None = None

    def logits(self) -> Float[Tensor, "batch tokens vocabulary"]:
        """All of them at once."""
        return torch.nn.functional.linear(self.hidden, self.weight.to(self.hidden.dtype), self.bias)


@dataclass(frozen=True)
class TopWords:
    """The likeliest words of each place: logarithms of their probabilities at one temperature, and that of all others together."""

    log_probabilities: Float[Tensor, "batch tokens k"]
    words: Int[Tensor, "batch tokens k"]
    rest: Float[Tensor, "batch tokens"]


@dataclass(frozen=True)
class Output:
    """What a network says of a batch: logits and, where asked for, its inner states by layer.

    A language model asked for ``words`` makes no logits: they have no classes then, and ``words`` says what they would be. A
    cache that kept what enters its head gives ``word_states``, which the task puts under the head again; one that kept the
    likeliest words alone gives ``top``.

    Layers count from 1; ``hidden_states[0]`` is what enters layer 1. Queries, keys and values are those of the
    layer's self-attention, split into its own heads. ``shares`` are what each token adds to each logit of a text, exactly.
    """

    logits: Float[Tensor, "batch *answers classes"]
    hidden_states: Mapping[int, Float[Tensor, "batch tokens width"]] = field(default_factory=dict)
    queries: Mapping[int, Float[Tensor, "batch heads tokens head_width"]] = field(default_factory=dict)
    keys: Mapping[int, Float[Tensor, "batch heads tokens head_width"]] = field(default_factory=dict)
    values: Mapping[int, Float[Tensor, "batch heads tokens head_width"]] = field(default_factory=dict)
    pooling_weights: Float[Tensor, "batch pooling_heads tokens"] | None = None
    shares: Float[Tensor, "batch tokens classes"] | None = None
    words: WordHead | None = None
    word_states: Float[Tensor, "batch answers width"] | None = None
    top: TopWords | None = None


@runtime_checkable
class Configured(Protocol):
    """A network as a loss sees it before training: its Hugging Face configuration."""

    config: Any


Needs = frozenset[str]
"""Names of parts of an :class:`Output`: ``"logits"``, ``"words"``, ``"pooling_weights"``, ``"shares"``, ``"hidden_states.3"``, ``"queries.6"``, ``"keys.6"``, ``"values.6"``."""
