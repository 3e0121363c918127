"""What the methods made of attention share: the maps of a pass that answers, and whose states the answer reads."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from slimlit.explain.methods.reading import watched_inputs
from slimlit.explain.question import Question, answer, readable, score
from slimlit.models import PreTrainedModel, read
from slimlit.models.attention import mapped_attention
from slimlit.models.attention_watch import Maps
from slimlit.models.reading import depth
from slimlit.types import Batch


@dataclass(frozen=True)
class Answered:
    """The logits asked, the attention maps they came from, and the weights of the pooling, where there is one."""

    scores: Float[Tensor, " batch"]
    maps: Maps
    pooling_weights: Float[Tensor, "batch pooling_heads tokens"] | None

    @property
    def own(self) -> list[Tensor]:
        """The maps of the stack that answers, from its first layer."""
        return self.maps["decoder"] if "decoder" in self.maps else self.maps["encoder"]


def answer_with_maps(network: PreTrainedModel, batch: Batch, question: Question) -> Answered:
    """Run the network once; all of it has gradients where gradients are on.

    Raises:
        ValueError: the attention of the network cannot be read, or not of all its layers.
    """
    pooling_weights = None
    with watched_inputs(network), mapped_attention(network) as maps:
        if question.places is None:
            output = read(network, batch)
            logits, pooling_weights = output.logits.float(), output.pooling_weights
        else:
            logits = answer(network, batch, question)
    check_maps(network, maps)
    return Answered(score(logits, question), maps, pooling_weights)


def check_maps(network: PreTrainedModel, maps: Maps) -> None:
    """There is a map of each layer.

    Raises:
        ValueError: there is not.
    """
    found = len(maps.get("decoder", maps.get("encoder", [])))
    if found != depth(network.config):
        raise ValueError(
            f"the attention of {found} of the {depth(network.config)} layers of {type(network.base_model).__name__} can be "
            "read: the others do not go through transformers' attention interface\nuse another method: input-gradient"
        )


def answering_rows(batch: Batch, question: Question, answered: Answered) -> Float[Tensor, "batch queries"]:
    """How much of the answer is read from each token's last state: its place's alone, or as the pooling weighs them.

    Of a classifier that is not ours the first token's is meant, and the last one's where no token sees later ones.
    """
    like = answered.own[-1]
    if question.places is not None:
        return torch.nn.functional.one_hot(question.places, like.shape[2]).to(like)
    if answered.pooling_weights is not None:
        return answered.pooling_weights.mean(dim=1).to(like)
    last = readable(batch, question).int().cumsum(dim=1).argmax(dim=1)
    places = last if "decoder" in answered.maps else torch.zeros_like(last)
    return torch.nn.functional.one_hot(places, like.shape[2]).to(like)


def identity_like(maps: Float[Tensor, "batch *heads queries keys"]) -> Float[Tensor, "1 queries queries"]:
    """Each token is itself."""
    return torch.eye(maps.shape[-2], dtype=maps.dtype, device=maps.device).unsqueeze(0)
