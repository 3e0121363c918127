"""``write_on``: a decoder goes on with texts, word after word, with what it has read kept in a cache."""

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

_MOST = 64  # words, unless told


def write_on(
    network: PreTrainedModel,
    input_ids: Int[Tensor, "batch tokens"],
    attention_mask: Int[Tensor, "batch tokens"],
    settings: dict[str, Any],
) -> Int[Tensor, "batch written"]:
    """What comes after each text, the likeliest word each time unless the settings say otherwise.

    Args:
        network: a decoder.
        input_ids: the texts, padded on the right.
        attention_mask: 1 on their tokens.
        settings: by the names of transformers' GenerationConfig.

    Raises:
        ValueError: a setting that it does not know.
    """
    known = GenerationConfig().to_dict()
    for name in settings:
        if name not in known:
            raise ValueError(
                f"generation has no setting {name!r}\nfor example: max_new_tokens, do_sample, temperature, top_p, num_beams"
            )
    limits = {} if "max_length" in settings else {"max_new_tokens": _MOST}
    config = GenerationConfig(**{**limits, "do_sample": False, "use_cache": True, **settings})
    tokens = input_ids.shape[1]
    # decoders go on from the right end: what pads a text goes to its left
    shift = tokens - attention_mask.sum(dim=1, keepdim=True)
    places = (torch.arange(tokens, device=input_ids.device) - shift) % tokens
    left, mask = input_ids.gather(1, places), attention_mask.gather(1, places)
    written: Tensor = network.generate(input_ids=left, attention_mask=mask, generation_config=config)
    return written[:, tokens:]
