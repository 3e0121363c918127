"""``randomise`` and ``compare_with_random``: whether a method's maps are of what the network learned."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from slimlit.explain.exam.attributing import attribute
from slimlit.explain.exam.ranks import rank_correlation
from slimlit.explain.exam.removal import count_units, find_units, sum_by_unit
from slimlit.explain.method import Method
from slimlit.explain.question import Question
from slimlit.models import PreTrainedModel
from slimlit.types import Batch

LEAST_WORDS = 3  # of a text whose order is compared
LEAST_COMPARED = 6  # where signs are left out: two random orders of five words have 0.41, of six 0.36


def randomise(network: PreTrainedModel, num_layers: int | None = None, seed: int = 0) -> PreTrainedModel:
    """A copy whose weights are noise, from the top down; the network itself stays as it is.

    Each tensor is drawn from a normal distribution of its own mean and deviation, so that the copy is as wide awake as
    the network was and knows nothing.

    Args:
        network: any.
        num_layers: how many of its topmost layers become noise, and with them all that is no layer and no embedding
            (heads, pooling); None takes every weight, the embeddings too.
        seed: of the noise.
    """
    noise = copy.deepcopy(network)
    stacks = [module for module in noise.modules() if isinstance(module, nn.ModuleList) and len(module) > 0]
    deepest = max((len(stack) for stack in stacks), default=0)
    layers = [stack for stack in stacks if len(stack) == deepest]
    kept: set[int] = set()
    if num_layers is not None:
        lower = [layer for stack in layers for layer in list(stack)[: max(0, deepest - num_layers)]]
        embeddings = [module for module in noise.modules() if isinstance(module, nn.Embedding)]
        embeddings += [module for name, module in noise.named_modules() if name.rpartition(".")[2] == "embeddings"]
        kept = {id(weight) for module in (*lower, *embeddings) for weight in module.parameters()}
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in noise.parameters():
            if id(weight) in kept or not weight.is_floating_point():
                continue
            mean, deviation = weight.float().mean(), weight.float().std(unbiased=False)
            drawn = torch.randn(weight.shape, generator=generator, device="cpu").to(weight.device)
            weight.copy_((mean + deviation * drawn).to(weight.dtype))
    return noise


def compare_with_random(
    network: PreTrainedModel,
    batch: Batch,
    question: Question,
    methods: Mapping[str, Method],
    removable: Bool[Tensor, "batch inputs"],
    words: Int[Tensor, "batch inputs"] | None = None,
    depths: Sequence[int | None] = (1, None),
    seeds: Sequence[int] = (0,),
) -> dict[str, dict[str, Float[np.ndarray, "texts seeds"]]]:
    """The rank correlation of each text's map with those of the same network turned to noise, without sign, by method and depth.

    A method whose maps stay the same shows the text, or the architecture, but not what was learned; and a map upside down is the
    same map, as noise does not know which answer is which. Texts of fewer than :data:`LEAST_COMPARED` words are left out:
    among so few, any two orders are alike.

    Args:
        network: whose maps are compared.
        batch: texts.
        question: what is asked of each.
        methods: by name.
        removable: inputs that are words.
        words: the word each input belongs to.
        depths: topmost layers turned to noise; None is every weight.
        seeds: of the noise, one copy each.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 3 (cascading and full randomisation; rank correlation with and without sign).
    """
    units = find_units(removable, words)
    counts = count_units(units)
    rows = np.flatnonzero(counts >= LEAST_COMPARED)
    before = {name: sum_by_unit(attribute(network, batch, question, one), units) for name, one in methods.items()}
    found: dict[str, dict[str, Float[np.ndarray, " texts"]]] = {name: {} for name in methods}
    for depth in depths:
        alike = {name: np.zeros((len(rows), len(seeds))) for name in methods}
        for number, seed in enumerate(seeds):
            noise = randomise(network, depth, seed)
            for name, method in methods.items():
                after = sum_by_unit(attribute(noise, batch, question, method), units)
                pairs = [(before[name][row, : counts[row]], after[row, : counts[row]]) for row in rows]
                alike[name][:, number] = [abs(rank_correlation(*pair)) for pair in pairs]
        for name in methods:
            found[name][depth_name(depth)] = alike[name]
    return found


def depth_name(depth: int | None) -> str:
    """What is noise at that depth, in words."""
    if depth is None:
        return "every weight"
    return f"head and top {depth} layers" if depth != 1 else "head and top layer"
