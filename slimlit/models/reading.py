"""``read``: run any network over a batch and give back just the outputs that are needed."""

import inspect
from functools import cache
from typing import Any

from transformers import PreTrainedModel

from slimlit.models.attention import Recorded, recorded_attention
from slimlit.models.sequence_classifier import SequenceClassifierOutput
from slimlit.types import Batch, Needs, Output

_INPUTS = ("input_ids", "attention_mask", "token_type_ids", "pooling_mask")


def read(network: PreTrainedModel, batch: Batch, needs: Needs = frozenset()) -> Output:
    """The network's logits and the inner states named in ``needs``; nothing else is computed or kept.

    Raises:
        ValueError: a need that is no part of an :class:`~slimlit.types.Output`, or a layer the network lacks.
    """
    layers = _layers(needs, int(network.config.num_hidden_layers))
    record: Recorded = {}
    if layers["queries"] or layers["keys"] or layers["values"]:
        with recorded_attention(network) as record:
            answer = _run(network, batch, bool(layers["hidden_states"]))
        if not record:
            raise ValueError(
                f"the attention of {type(network.base_model).__name__} cannot be read: it does not go through transformers' "
                "attention interface\nleave out losses and maps of its attention, or use another encoder"
            )
    else:
        answer = _run(network, batch, bool(layers["hidden_states"]))
    return Output(
        logits=answer.logits,
        hidden_states={layer: answer.hidden_states[layer] for layer in layers["hidden_states"]},
        queries={layer: record[layer][0] for layer in layers["queries"]},
        keys={layer: record[layer][1] for layer in layers["keys"]},
        values={layer: record[layer][2] for layer in layers["values"]},
        pooling_weights=answer.pooling_weights if isinstance(answer, SequenceClassifierOutput) else None,
    )


def _run(network: PreTrainedModel, batch: Batch, hidden: bool) -> Any:
    accepted = _accepted_inputs(type(network))  # type: ignore[arg-type]
    inputs = {name: batch[name] for name in _INPUTS if name in batch and name in accepted}  # type: ignore[literal-required]
    return network(**inputs, output_hidden_states=hidden)


@cache
def _accepted_inputs(network_class: type[PreTrainedModel]) -> frozenset[str]:
    return frozenset(inspect.signature(network_class.forward).parameters)


@cache
def _layers(needs: Needs, num_layers: int) -> dict[str, tuple[int, ...]]:
    layers: dict[str, tuple[int, ...]] = {"hidden_states": (), "queries": (), "keys": (), "values": ()}
    for need in sorted(needs - {"logits"}):
        part, _, number = need.partition(".")
        lowest = 0 if part == "hidden_states" else 1
        if part not in layers or not number.isdigit():
            raise ValueError(
                f"no output is called {need!r}; there are logits and {', '.join(layers)} with a layer: queries.2"
            )
        if not lowest <= int(number) <= num_layers:
            raise ValueError(
                f"{need!r} is asked of a network of {num_layers} layers; expected {lowest} to {num_layers}"
            )
        layers[part] += (int(number),)
    return layers
