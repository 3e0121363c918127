"""``stages_of``: an encoder-decoder as two modules of plain tensors; but for tied tables no weight is in both."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from slimlit.export.sample import Sample
from slimlit.models import PreTrainedModel

Layers = dict[str, dict[str, Tensor]]  # keys and values of each layer, by its number


class EncoderStage(nn.Module):
    """A text becomes the keys and values that the decoder's cross-attention reads of it, once for all words.

    The decoder's maps to them are so in this stage alone; where an encoder gave hidden states, they would run again for every word,
    or be in two graphs. What the decoder computes beside them here nobody asks for, and tracing drops it.
    """

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, input_ids: Int[Tensor, "batch tokens"], attention_mask: Int[Tensor, "batch tokens"]
    ) -> dict[str, Layers]:
        """Keys and values, ``(batch, heads, tokens, width)``, of each layer of the decoder."""
        said = self.network(
            input_ids=input_ids, attention_mask=attention_mask, decoder_input_ids=input_ids[:, :1], use_cache=True
        )
        return {"cross": _layers_of(said.past_key_values.cross_attention_cache)}


class DecoderStage(nn.Module):
    """New words, given what was read and what is remembered of the words before: logits, and what to remember."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        decoder_input_ids: Int[Tensor, "batch new"],
        attention_mask: Int[Tensor, "batch tokens"],
        cross: Layers,
        past_key_values: Layers,
    ) -> dict[str, Float[Tensor, "batch new words"] | Layers]:
        """Several words at once or one; the first where nothing is remembered yet."""
        memory = EncoderDecoderCache(_cache_of(past_key_values), _cache_of(cross))
        memory.is_updated = dict.fromkeys(range(len(cross)), True)  # what was read stays as it is
        width = self.network.config.hidden_size
        nothing = attention_mask.new_zeros((1, 1, 1), dtype=torch.float32).expand(*attention_mask.shape, width)
        said = self.network(
            decoder_input_ids=decoder_input_ids,
            attention_mask=attention_mask,
            encoder_outputs=(nothing,),  # of which only the shape is looked at
            past_key_values=memory,
            use_cache=True,
        )
        return {"logits": said.logits, "past_key_values": _layers_of(said.past_key_values.self_attention_cache)}


def stages_of(network: PreTrainedModel, sample: Sample) -> dict[str, tuple[nn.Module, dict[str, Any]]]:
    """``encoder`` and ``decoder``, each with inputs to trace it with: a padded text, and words after others."""
    ids = torch.from_numpy(sample.batches[0]["input_ids"][:1, :1]).expand(2, 7).clone()
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0  # or the mask would be traced away
    stages = EncoderStage(network).eval(), DecoderStage(network).eval()
    with torch.no_grad():
        cross = stages[0](ids, mask)["cross"]
        said = network(input_ids=ids, attention_mask=mask, decoder_input_ids=ids[:, :3], use_cache=True)
        past = _layers_of(said.past_key_values.self_attention_cache)
    words = {"decoder_input_ids": ids[:, :5].clone(), "attention_mask": mask, "cross": cross, "past_key_values": past}
    return {"encoder": (stages[0], {"input_ids": ids, "attention_mask": mask}), "decoder": (stages[1], words)}


def _cache_of(layers: Layers) -> DynamicCache:
    cache = DynamicCache()
    for number, layer in enumerate(layers.values()):
        cache.update(layer["keys"], layer["values"], number)
    return cache


def _layers_of(cache: DynamicCache) -> Layers:
    return {str(number): {"keys": one.keys, "values": one.values} for number, one in enumerate(cache.layers)}
