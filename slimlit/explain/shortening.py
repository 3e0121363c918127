"""``shorten``: a batch without the inputs that nothing reads, the others at their own positions: the same answers, read quicker."""

from typing import Any, cast

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from slimlit.models import PreTrainedModel, SequenceClassifier
from slimlit.models.packing import first_position
from slimlit.types import Batch

# what a token does here hangs on the positions it is told and on the mask alone: no windows, no distances counted by place
_BY_POSITION = ("bert", "camembert", "distilbert", "electra", "llama", "roberta", "xlm-roberta")
_OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "pooling_mask", "position_ids", "word_ids")


def can_shorten(network: PreTrainedModel, batch: Batch) -> bool:
    """Whether a network says the same of a text without its hidden inputs as with them; known of a few architectures."""
    is_ours = isinstance(network, SequenceClassifier)
    config: Any = network.config.encoder if is_ours else network.config
    reads_last = config.model_type == "llama" and not is_ours and type(network).__name__.endswith("Classification")
    is_plain = not {"decoder_input_ids", "position_ids", "segment_ids"} & set(batch)
    return config.model_type in _BY_POSITION and is_plain and not reads_last


def shorten(network: PreTrainedModel, batch: Batch, kept: Bool[Tensor, "batch tokens"]) -> Batch:
    """The kept inputs of each text moved together; each is told where it stood.

    Guarantees:
        - where what is left out is hidden and not asked, the network answers the same, up to rounding.
    """
    width = max(1, int(kept.sum(dim=1).max()))
    order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)[:, :width]
    parts: dict[str, Any] = dict(batch)
    for name in _OF_TOKENS:
        if name in parts:
            parts[name] = parts[name].gather(1, order)
    config: Any = network.config.encoder if isinstance(network, SequenceClassifier) else network.config
    parts["attention_mask"] = parts["attention_mask"] * kept.gather(1, order)
    parts["position_ids"] = order + first_position(config)
    return cast(Batch, parts)


def moved(places: Int[Tensor, " questions"], kept: Bool[Tensor, "questions tokens"]) -> Int[Tensor, " questions"]:
    """Where a place stands once the inputs that are not kept are gone."""
    return kept.long().cumsum(dim=1).gather(1, places.unsqueeze(1)).squeeze(1) - 1


def trim(batch: Batch, length: int) -> Batch:
    """The batch without the padding behind ``length`` tokens."""
    num_tokens = batch["input_ids"].shape[1]
    parts: dict[str, Any] = dict(batch)
    for name in _OF_TOKENS:
        if name in parts and parts[name].shape[1] == num_tokens:
            parts[name] = parts[name][:, :length]
    return cast(Batch, parts)
