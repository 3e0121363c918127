"""``read``: run any network over a batch and give back just the outputs that are needed."""

import inspect
from contextlib import ExitStack
from functools import cache
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from slimlit.models.attention import recorded_attention
from slimlit.models.attention_watch import Recorded
from slimlit.models.packing import packed_inputs
from slimlit.models.sequence_classifier import SequenceClassifierOutput
from slimlit.models.shares import recorded_shares
from slimlit.models.word_head import unread_words
from slimlit.types import Batch, Needs, Output, WordHead

_INPUTS = (
    *("input_ids", "attention_mask", "token_type_ids", "pooling_mask", "position_ids"),
    *("decoder_input_ids", "decoder_attention_mask"),
)
WHOLE = frozenset({"logits", "words", "pooling_weights", "shares"})
"""The outputs that no layer has."""


def read(network: PreTrainedModel, batch: Batch, needs: Needs = frozenset()) -> Output:
    """The network's logits and the inner states named in ``needs``; nothing else is computed or kept.

    Where ``needs`` has ``"words"``, a language model's logits are not made; :attr:`~slimlit.types.Output.words` is.

    Raises:
        ValueError: a need that is no part of an :class:`~slimlit.types.Output`, or a layer, a pooling or shares that the
            network lacks.
    """
    layers = _layers(needs, depth(network.config))
    hidden = bool(layers["hidden_states"])
    is_recorded = bool(layers["queries"] or layers["keys"] or layers["values"])
    record: Recorded = {}
    words: list[WordHead] = []
    shares: list[Tensor] = []
    with ExitStack() as watching:
        if is_recorded:
            record = watching.enter_context(recorded_attention(network))
        if "words" in needs:
            words = watching.enter_context(unread_words(network))
        if "shares" in needs:
            shares = watching.enter_context(recorded_shares(network))
        answer = _run(network, batch, hidden)
    if is_recorded and not record:
        raise ValueError(
            f"the attention of {type(network.base_model).__name__} cannot be read: it does not go through transformers' "
            "attention interface\nleave out losses and maps of its attention, or use another encoder"
        )
    if "pooling_weights" in needs and not isinstance(answer, SequenceClassifierOutput):
        raise ValueError(f"a {type(network).__name__} has no pooling whose weights could be read")
    states = _states(answer) if hidden else ()
    return Output(
        logits=answer.logits[..., :0] if words else answer.logits,
        hidden_states={layer: states[layer] for layer in layers["hidden_states"]},
        queries={layer: record[layer][0] for layer in layers["queries"]},
        keys={layer: record[layer][1] for layer in layers["keys"]},
        values={layer: record[layer][2] for layer in layers["values"]},
        pooling_weights=answer.pooling_weights if isinstance(answer, SequenceClassifierOutput) else None,
        words=words[-1] if words else None,
        shares=shares[-1] if shares else None,
    )


def depth(config: Any) -> int:
    """The layers whose states are read: the decoder's, where there is one."""
    if config.is_encoder_decoder:
        layers = config.num_decoder_layers if config.model_type in ("t5", "mt5") else config.decoder_layers
        return int(layers)
    return int(config.num_hidden_layers)


def _states(answer: Any) -> Any:
    """The hidden states by layer: of the decoder, where there is one."""
    states = answer.get("decoder_hidden_states")
    return answer.hidden_states if states is None else states


def _run(network: PreTrainedModel, batch: Batch, hidden: bool) -> Any:
    accepted = _accepted_inputs(type(network))  # type: ignore[arg-type]
    inputs: dict[str, Any] = {name: batch[name] for name in _INPUTS if name in batch and name in accepted}  # type: ignore[literal-required]
    if "segment_ids" in batch:
        inputs.pop("attention_mask", None)
        inputs |= packed_inputs(network, batch)
    if "use_cache" in accepted:
        inputs["use_cache"] = False  # of keys and values, for writing word after word
    return network(**inputs, output_hidden_states=hidden)


@cache
def _accepted_inputs(network_class: type[PreTrainedModel]) -> frozenset[str]:
    return frozenset(inspect.signature(network_class.forward).parameters)


@cache
def _layers(needs: Needs, num_layers: int) -> dict[str, tuple[int, ...]]:
    layers: dict[str, tuple[int, ...]] = {"hidden_states": (), "queries": (), "keys": (), "values": ()}
    for need in sorted(needs - WHOLE):
        part, _, number = need.partition(".")
        lowest = 0 if part == "hidden_states" else 1
        if part not in layers or not number.isdigit():
            raise ValueError(
                f"no output is called {need!r}; there are {', '.join(sorted(WHOLE))} and {', '.join(layers)} with a layer: queries.2"
            )
        if not lowest <= int(number) <= num_layers:
            raise ValueError(
                f"{need!r} is asked of a network of {num_layers} layers; expected {lowest} to {num_layers}"
            )
        layers[part] += (int(number),)
    return layers
