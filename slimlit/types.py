"""What travels between the five nouns: a batch of text and what a network says of it.

The shape legend, used in every signature:

=========== ==========================================================================
batch       examples of one batch
tokens      sub-word tokens of the longest example of the batch, padding included
classes     labels of a classification task
width       hidden size of a network
heads       attention heads (or heads of the attention pooling)
head_width  width of one head, ``width / heads``
=========== ==========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NotRequired, Protocol, TypedDict, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


class Batch(TypedDict):
    """Texts as a data module hands them over: padded on the right, one row an example.

    ``attention_mask`` is 1 on real tokens and 0 on padding; ``pooling_mask``, where present, is 1 on the tokens an
    attention pooling may look at (stop words are 0). ``example_id`` is the row's number in its split and never changes.
    """

    input_ids: Int[Tensor, "batch tokens"]
    attention_mask: Int[Tensor, "batch tokens"]
    labels: Int[Tensor, " batch"]
    example_id: Int[Tensor, " batch"]
    token_type_ids: NotRequired[Int[Tensor, "batch tokens"]]
    pooling_mask: NotRequired[Int[Tensor, "batch tokens"]]
    teacher: NotRequired["Output"]


@dataclass(frozen=True)
class Output:
    """What a network says of a batch: logits and, where asked for, its inner states by layer.

    Layers count from 1; ``hidden_states[0]`` is what enters layer 1. Queries, keys and values are those of the
    layer's self-attention, split into its own heads.
    """

    logits: Float[Tensor, "batch classes"]
    hidden_states: Mapping[int, Float[Tensor, "batch tokens width"]] = field(default_factory=dict)
    queries: Mapping[int, Float[Tensor, "batch heads tokens head_width"]] = field(default_factory=dict)
    keys: Mapping[int, Float[Tensor, "batch heads tokens head_width"]] = field(default_factory=dict)
    values: Mapping[int, Float[Tensor, "batch heads tokens head_width"]] = field(default_factory=dict)
    pooling_weights: Float[Tensor, "batch pooling_heads tokens"] | None = None


@runtime_checkable
class Configured(Protocol):
    """A network as a loss sees it before training: its Hugging Face configuration."""

    config: Any


Needs = frozenset[str]
"""Names of parts of an :class:`Output`: ``"logits"``, ``"hidden_states.3"``, ``"queries.6"``, ``"keys.6"``, ``"values.6"``."""
