"""``generate``: what a network writes, word after word, with cached keys and values: greedily, by beams, or drawn."""

import difflib
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

from slimlit.types import Batch

_SPECIAL = (
    *("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"),
    *("forced_bos_token_id", "forced_eos_token_id", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
    "sequence_bias",
)


def generate(
    network: PreTrainedModel, batch: Batch, settings: Mapping[str, Any] | None = None, seed: int = 0
) -> list[list[int]]:
    """The tokens a network writes after each text of a batch, without the text and special tokens around them.

    Settings are those of transformers' ``GenerationConfig``: ``num_beams``, ``max_new_tokens``, ``do_sample``, ``temperature``,
    ``top_p``, ``length_penalty``; greedy where nothing is set. Of the network's own settings the special tokens alone count, and
    the words it shuns or favours by number, so the same settings mean the same whatever file a network came from. Where ``num_return_sequences`` are asked, those of
    one text stand side by side.

    Guarantees:
        - the same network, batch and seed give the same tokens, and torch's own random state stays as it was;
        - padding of the batch changes nothing that is written greedily, but for rounding;
        - dropout is off, and the network is left in the mode it was in.

    Args:
        network: an encoder-decoder, which answers the text, or a decoder, which continues it.
        batch: texts, padded on the right.
        settings: checked beforehand by :func:`check_generation`.
        seed: of what is drawn, together with the batch's rows.
    """
    ours = settle(network, settings or {})
    ids, mask = batch["input_ids"], batch["attention_mask"]
    if not network.config.is_encoder_decoder:
        ids, mask = padded_on_the_left(ids, mask, int(ours.pad_token_id))
    with _speaking(network, ours), _seeded(ids.device, seed, batch["example_id"]), torch.no_grad():
        written = network.generate(input_ids=ids, attention_mask=mask)
    start = 1 if network.config.is_encoder_decoder else ids.shape[1]
    return [_within(row, _ends(ours), int(ours.pad_token_id)) for row in written[:, start:].tolist()]


def settle(network: PreTrainedModel, settings: Mapping[str, Any]) -> GenerationConfig:
    """The settings, with the network's own special tokens; also how a network is saved that is to write so."""
    ours = GenerationConfig(**{"max_new_tokens": 64, **settings})
    own = {
        **network.config.to_dict(),
        **{k: v for k, v in network.generation_config.to_dict().items() if v is not None},
    }
    for name in _SPECIAL:
        if ours.to_dict().get(name) is None:
            setattr(ours, name, own.get(name))
    if ours.pad_token_id is None:
        ours.pad_token_id = _ends(ours)[0] if _ends(ours) else 0
    return ours


def check_generation(config: PreTrainedConfig, settings: Mapping[str, Any], longest: int = 0) -> None:
    """The settings are known, agree with each other, and stay within a network's positions.

    Args:
        config: of the network.
        settings: as :func:`generate` takes them.
        longest: tokens of the longest text that a decoder continues.

    Raises:
        ValueError: they are not.
    """
    known = [
        name for name in GenerationConfig().to_dict() if not name.startswith("_") and name != "transformers_version"
    ]
    for name in settings:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(
                f"generation has no setting {name!r}\n{hint}for example: num_beams, max_new_tokens, do_sample"
            )
    try:
        GenerationConfig(**settings).validate(strict=True)
    except ValueError as problem:
        said = " ".join(line.strip(" -") for line in str(problem).splitlines() if "`" in line)[:300]
        raise ValueError(f"generation: {said or problem}") from problem
    positions = num_positions(config)
    if positions is None:
        return
    room = positions - (1 if config.is_encoder_decoder else longest)
    wanted = settings.get("max_new_tokens", 64)
    if wanted > room:
        ways = [f"set it to at most {room}"] if room > 0 else []
        if not config.is_encoder_decoder and positions - wanted > 2:
            ways.append(f"read less of each text: data.init_args.max_length {positions - wanted}")
        raise ValueError(
            f"generation.max_new_tokens is {wanted}, but the network has positions for {room} more\n{', or '.join(ways)}"
        )


def num_positions(config: PreTrainedConfig) -> int | None:
    """Tokens a network has positions for; None where it reads as many as come."""
    whole = config.to_dict()
    found = whole.get("max_position_embeddings") or whole.get("n_positions")
    return None if config.model_type in ("t5", "mt5") or not found else int(found)


def padded_on_the_left(
    input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"], pad: int
) -> tuple[Int[Tensor, "batch tokens"], Int[Tensor, "batch tokens"]]:
    """Rows padded on the right, with their padding moved to the left, where a decoder that goes on needs it."""
    missing = attention_mask.shape[1] - attention_mask.sum(dim=1, keepdim=True)
    places = torch.arange(attention_mask.shape[1], device=input_ids.device)[None, :] - missing
    real = places >= 0
    moved = input_ids.gather(1, places.clamp(min=0))
    return moved.masked_fill(~real, pad), real.to(attention_mask.dtype)


def _ends(settings: GenerationConfig) -> list[int]:
    ends = settings.eos_token_id
    return [] if ends is None else [int(end) for end in (ends if isinstance(ends, list) else [ends])]


def _within(tokens: list[int], ends: list[int], pad: int) -> list[int]:
    """Up to the first end, or to the padding after the last word."""
    for place, token in enumerate(tokens):
        if token in ends:
            return tokens[:place]
    while tokens and tokens[-1] == pad:
        tokens = tokens[:-1]
    return tokens


@contextmanager
def _speaking(network: PreTrainedModel, settings: GenerationConfig) -> Iterator[None]:
    """In eval mode, and with these settings in the place of the network's own, which would fill what is not set."""
    modes = [(module, module.training) for module in network.modules()]
    before = network.generation_config
    network.eval()
    network.generation_config = settings
    try:
        yield
    finally:
        network.generation_config = before
        for module, mode in modes:
            module.training = mode


@contextmanager
def _seeded(device: torch.device, seed: int, rows: Int[Tensor, " batch"]) -> Iterator[None]:
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed + zlib.crc32(rows.cpu().numpy().tobytes()))
        yield
