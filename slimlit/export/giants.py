"""``part_giants``: a language model that reads its giant activations apart, so that the others can be rounded."""

import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from slimlit.models import PreTrainedModel

NUM_GIANTS = 7  # channels of a map; weights of so few rows stay in float32 (onnx_int8.LEAST_SIDE)
_NUM_TEXTS, _NUM_TOKENS = 4, 48  # of words drawn at random


class Parted(nn.Module):
    """A linear map ``W x`` as ``W_giants x_giants + W x'``, with ``x'`` zero where the giants are; the same function.

    Args:
        linear: the map; its weight stays the same parameter, tied to what it was tied to.
        places: of the channels to read apart.
    """

    def __init__(self, linear: nn.Linear, places: Int[Tensor, " giants"]) -> None:
        super().__init__()
        self.linear = linear
        rest = torch.ones(linear.in_features)
        rest[places] = 0.0
        self.register_buffer("places", places)
        self.register_buffer("rest", rest)
        self.register_buffer("giants", linear.weight.detach()[:, places].T.clone())

    places: Tensor
    rest: Tensor
    giants: Tensor

    def forward(self, x: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch outputs"]:
        """The map."""
        found: Tensor = self.linear(x * self.rest)
        return found + torch.matmul(x.index_select(-1, self.places), self.giants)


@torch.no_grad()
def part_giants(network: PreTrainedModel, seed: int = 0) -> PreTrainedModel:
    """A copy that computes the same, with the seven channels that reach furthest read apart in each linear map.

    In such networks a few channels are hundreds of times as large as the others, whatever the text (Dettmers et al. 2022,
    arXiv:2208.07339, section 3). So they are looked for in words drawn at random, and no text is read.
    """
    network = copy.deepcopy(network)
    maps = {name: one for name, one in network.named_modules() if isinstance(one, nn.Linear) and one.in_features > 4 * NUM_GIANTS}  # fmt: skip
    furthest: dict[str, Tensor] = {}

    def watch(name: str) -> None:
        def note(module: nn.Module, inputs: tuple[Tensor]) -> None:
            furthest[name] = inputs[0].abs().flatten(0, -2).amax(dim=0)

        handles.append(maps[name].register_forward_pre_hook(note))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    for name in maps:
        watch(name)
    random = torch.Generator().manual_seed(seed)
    words = torch.randint(int(network.config.vocab_size), (_NUM_TEXTS, _NUM_TOKENS), generator=random, device="cpu")
    network(input_ids=words, attention_mask=torch.ones_like(words))
    for handle in handles:
        handle.remove()
    for name, linear in maps.items():
        places = furthest[name].topk(NUM_GIANTS).indices.sort().values
        network.set_submodule(name, Parted(linear, places))
    return network
