"""The configuration of a network of which a plan keeps some parts."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from transformers import GenerationConfig, PreTrainedConfig

from slimlit.compress.low_rank import low_rank_config
from slimlit.compress.plans import Parts, Plan
from slimlit.models import SequenceClassifierConfig
from slimlit.models.architectures import base_config
from slimlit.models.narrow_attention import NARROWABLE
from slimlit.models.shrinking import Size, shrink

_COUNTED_FROM_PAD = (
    "roberta",
    "xlm-roberta",
    "camembert",
)  # their positions begin after the number of the padding token
_SINUSOIDS = ("marian", "pegasus")  # their positions are sinusoids of the width: another width has others


def smaller(config: PreTrainedConfig, plan: Plan) -> PreTrainedConfig:
    """The configuration of what the plan keeps; stock, but for a classifier of ours whose encoder has fewer heads of the same width.

    Raises:
        ValueError: the plan does not fit, or no configuration of that architecture can say what is asked.
    """
    if plan.embedding_size is not None:
        return low_rank_config(smaller(config, replace(plan, embedding_size=None)), plan.embedding_size)
    plan.check(config)
    parts = Parts.of(config)
    if not isinstance(config, SequenceClassifierConfig):
        small, head_dim = _smaller(config, plan, parts)
        if head_dim is not None:
            raise ValueError(
                f"a {config.model_type}'s config.json cannot say that it has fewer heads of the same width\n"
                "take as much of its width (--hidden) with them, or leave --heads out"
            )
        return small
    whole = copy.deepcopy(config)
    whole.encoder, whole.head_dim = _smaller(config.encoder, plan, parts)
    whole.dtype = whole.encoder.dtype
    return whole


def _smaller(config: PreTrainedConfig, plan: Plan, parts: Parts) -> tuple[PreTrainedConfig, int | None]:
    """The configuration, and the width of its heads where it cannot say it itself."""
    layers = {side: plan.layers.get(side) or list(range(1, depth + 1)) for side, depth in parts.layers.items()}
    first, *others = layers.values()
    kept = {key: len(units) for key, units in plan.feed_forward.items()}
    small = shrink(config, Size(first, others[0] if others else None))
    sides = {side: count for key, count in kept.items() for side in [key.split(".")[0]]}
    _set_feed_forward(small, sides, parts)
    if plan.hidden is not None:
        if small.model_type in _SINUSOIDS:
            raise ValueError(
                f"a {small.model_type}'s positions are sinusoids of its width, which stays\nleave --hidden out"
            )
        _set_hidden(small, len(plan.hidden), parts)
    heads = {key.split(".")[0]: len(numbers) for key, numbers in plan.heads.items()}
    head_dim = _set_heads(small, heads, parts)
    if plan.words is not None:
        _set_words(small, plan.words)
    return small, head_dim


def _set_feed_forward(small: PreTrainedConfig, sides: dict[str, int], parts: Parts) -> None:
    kind = small.model_type
    for side, count in sides.items():
        names = {"distilbert": "hidden_dim", "gpt2": "n_inner", "t5": "d_ff", "mt5": "d_ff"}
        name = f"{side}_ffn_dim" if small.is_encoder_decoder and kind not in ("t5", "mt5") else names.get(kind)
        setattr(small, name or "intermediate_size", count)
    if kind in ("t5", "mt5") and len({sides.get(side, parts.feed_forward[side]) for side in parts.layers}) > 1:
        raise ValueError("a t5 has one feed-forward width for encoder and decoder\nkeep as many units in both")


def _set_hidden(small: PreTrainedConfig, hidden: int, parts: Parts) -> None:
    if small.model_type == "gpt2" and small.n_inner is None:
        small.n_inner = parts.feed_forward["layers"]  # None would be four times the new width
    if getattr(small, "embedding_size", None) == parts.hidden:
        small.embedding_size = hidden
    name = "d_model" if small.is_encoder_decoder else small.attribute_map.get("hidden_size", "hidden_size")
    setattr(small, name, hidden)


def _set_heads(small: PreTrainedConfig, heads: dict[str, int], parts: Parts) -> int | None:
    kept = {side: heads.get(side, number) for side, number in parts.heads.items()}
    if small.is_encoder_decoder and small.model_type not in ("t5", "mt5"):
        for side, number in kept.items():
            setattr(small, f"{side}_attention_heads", number)
    else:
        if len(set(kept.values())) > 1:
            raise ValueError("a t5 has one number of heads for encoder and decoder\nkeep as many in both")
        number = next(iter(kept.values()))
        if parts.shared_heads is not None:
            small.num_key_value_heads = max(1, parts.shared_heads * number // parts.heads["layers"])
        setattr(small, small.attribute_map.get("num_attention_heads", "num_attention_heads"), number)
    if small.model_type in ("t5", "mt5"):
        return None  # d_kv says it
    if parts.shared_heads is not None:
        small.head_dim = parts.head_dim
        return None
    width = small.d_model if small.is_encoder_decoder else small.hidden_size
    if all(number * parts.head_dim == width for number in kept.values()):
        return None
    if small.model_type in NARROWABLE or small.is_encoder_decoder:
        return parts.head_dim
    raise ValueError(
        f"a {small.model_type} has heads of width hidden size over heads: {next(iter(kept.values()))} heads of {parts.head_dim} "
        f"do not make {width}\ntake as much of its width (--hidden) with the heads, or leave --heads out"
    )


def first_words(config: PreTrainedConfig) -> int:
    """How many words must keep their numbers."""
    config = base_config(config)
    return int(config.pad_token_id or 0) + 1 if config.model_type in _COUNTED_FROM_PAD else 0


def _set_words(config: Any, words: list[int]) -> None:
    first = first_words(config)
    if words[:first] != list(range(first)):
        raise ValueError(
            f"a {config.model_type} counts its positions from its padding token, whose number would change\n"
            f"keep words 0 to {first - 1}"
        )
    config.vocab_size = len(words)
    if getattr(config, "decoder_vocab_size", None) is not None:
        config.decoder_vocab_size = len(words)
    map_token_ids(config, words)


def map_token_ids(config: PreTrainedConfig | GenerationConfig, words: list[int]) -> None:
    """Give all that a configuration says of single words their new numbers, in place: special tokens, and words that are forbidden, favoured or forced.

    What it says of a word that is gone, or of a row of words one of which is, goes too.

    Raises:
        ValueError: a special token is not among the words kept.
    """
    new = {old: number for number, old in enumerate(words)}
    for name, value in config.to_dict().items():
        if value is None:
            continue
        if name.endswith("token_id"):
            if any(old not in new for old in (value if isinstance(value, list) else [value])):
                raise ValueError(
                    f"{name} is {value}, which is not among the {len(words):,} words kept\nkeep special tokens"
                )
            setattr(config, name, [new[old] for old in value] if isinstance(value, list) else new[value])
        elif name in ("suppress_tokens", "begin_suppress_tokens"):
            setattr(config, name, [new[old] for old in value if old in new] or None)
        elif name == "forced_decoder_ids":  # pairs of a place and a word, which may be None
            setattr(config, name, [[place, new.get(old)] for place, old in value if old is None or old in new] or None)
        elif name in ("bad_words_ids", "force_words_ids"):
            setattr(config, name, _rows(value, new) or None)
        elif name == "sequence_bias":
            pairs = [(_row(row, new), bias) for row, bias in (value.items() if isinstance(value, dict) else value)]
            setattr(config, name, [[row, bias] for row, bias in pairs if row] or None)


def _row(row: Sequence[int], new: dict[int, int]) -> list[int]:
    """A row of words under their new numbers; none where one is gone."""
    return [new[old] for old in row] if all(old in new for old in row) else []


def _rows(rows: list[Any], new: dict[int, int]) -> list[Any]:
    """Rows of words, or choices among rows, without those that are gone."""
    found = [_rows(row, new) if row and isinstance(row[0], list) else _row(row, new) for row in rows]
    return [row for row in found if row]
