"""Rows packed of several documents: what a network must be told so that no document sees another, and whether it listens."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from slimlit.models.architectures import STOCK
from slimlit.types import Batch

_FROM_PADDING = (  # these count positions from pad_token_id + 1
    *(
        "roberta",
        "xlm-roberta",
        "xlm-roberta-xl",
        "camembert",
        "roberta-prelayernorm",
        "xmod",
        "data2vec-text",
        "ibert",
    ),
    *("longformer", "mpnet", "esm", "lilt", "luke"),
)


def packed_inputs(network: PreTrainedModel, batch: Batch) -> dict[str, Any]:
    """Positions that start anew with each document, and for encoders a mask of who may look at whom.

    Decoders get no mask: transformers then reads the borders of the documents from the positions, sliding windows and
    padding (where each token is a document of its own) included.
    """
    positions = batch["position_ids"]
    if not _is_encoder(network):
        return {"position_ids": positions, "use_cache": False}  # with a cache the borders are not looked for
    config: Any = network.config
    return {"position_ids": positions + first_position(config), "attention_mask": _masks(config, batch["segment_ids"])}


def first_position(config: Any) -> int:
    """The number that an architecture gives the first token of a text."""
    return int(config.pad_token_id or 0) + 1 if config.model_type in _FROM_PADDING else 0


def _is_encoder(network: PreTrainedModel) -> bool:
    mapping = STOCK["masked_lm"]._model_mapping
    return type(network.config) in mapping and isinstance(network, mapping[type(network.config)])


def _masks(config: Any, segments: Int[Tensor, "batch tokens"]) -> Any:
    """True where both tokens are of one document; by kind of layer where a model has several."""
    within = segments[:, None, :, None] == segments[:, None, None, :]
    kinds = set(config.to_dict().get("layer_types") or [])
    if "sliding_attention" not in kinds:
        return _as_asked(config, within)
    places = torch.arange(segments.shape[1], device=segments.device)
    near = (places[:, None] - places[None, :]).abs() <= int(config.sliding_window)
    return {"full_attention": _as_asked(config, within), "sliding_attention": _as_asked(config, within & near)}


def _as_asked(config: Any, allowed: Tensor) -> Tensor:
    if config._attn_implementation != "eager":
        return allowed
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill(~allowed, torch.finfo(torch.float32).min)


def check_packing(network: PreTrainedModel, max_length: int) -> None:
    """Two documents in one row say what each says alone.

    Raises:
        ValueError: they do not: the architecture looks across documents, or goes on counting positions.
    """
    random = torch.Generator().manual_seed(0)
    first = max(1, max_length // 3)
    ids = torch.randint(int(network.config.vocab_size), (1, max_length), generator=random, device="cpu").to(
        network.device
    )
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            together = _states(network, ids, [first, max_length - first])
            alone = [_states(network, ids[:, :first], [first]), _states(network, ids[:, first:], [max_length - first])]
    finally:
        network.train(was_training)
    apart = float((together - torch.cat(alone, dim=1)).abs().max())
    if not apart < 1e-3 * float(together.abs().max()):
        raise ValueError(
            f"a {type(network).__name__} cannot read packed rows: a document's last states change by {apart:.2g} beside another\n"
            "set data.init_args.packing to false, or use another architecture"
        )


def _states(
    network: PreTrainedModel, ids: Int[Tensor, "1 tokens"], lengths: list[int]
) -> Float[Tensor, "1 tokens width"]:
    segments = torch.repeat_interleave(torch.arange(1, len(lengths) + 1), torch.tensor(lengths))[None].to(ids.device)
    positions = torch.cat([torch.arange(length) for length in lengths])[None].to(ids.device)
    batch = Batch(
        input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, example_id=torch.zeros(1, dtype=torch.int64),
        position_ids=positions, segment_ids=segments,
    )  # fmt: skip
    inputs = {"attention_mask": torch.ones_like(ids)} if len(lengths) == 1 else packed_inputs(network, batch)
    states: Tensor = network.base_model(input_ids=ids, **inputs).last_hidden_state  # logits of a long row have no room
    return states.float()
