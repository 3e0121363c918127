"""``decoder_of``, ``stages_of``: a network that writes as modules to trace: a decoder as one, an encoder-decoder as two; no weight is in both, but for tied tables."""

import copy
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.export import Dim
from transformers import DynamicCache, EncoderDecoderCache

from slimlit.export.sample import Sample
from slimlit.models import PreTrainedModel


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
    ) -> dict[str, DynamicCache]:
        """Keys and values, ``(batch, heads, tokens, width)``, of each layer of the decoder."""
        said = self.network(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=_begun(self.network, input_ids[:, :1]),
            use_cache=True,
        )
        return {"cross": said.past_key_values.cross_attention_cache}


class DecoderStage(nn.Module):
    """New words, given what was read and what is remembered of the words before: logits, and what to remember."""

    def __init__(self, network: PreTrainedModel) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        decoder_input_ids: Int[Tensor, "batch new"],
        attention_mask: Int[Tensor, "batch tokens"],
        cross: DynamicCache,
        past_key_values: DynamicCache,
    ) -> dict[str, Float[Tensor, "batch new words"] | DynamicCache]:
        """Several words at once or one; the first where nothing is remembered yet."""
        memory = EncoderDecoderCache(past_key_values, cross)
        memory.is_updated = dict.fromkeys(range(len(cross.layers)), True)  # what was read stays as it is
        width = self.network.config.hidden_size
        nothing = attention_mask.new_zeros((1, 1, 1), dtype=torch.float32).expand(*attention_mask.shape, width)
        said = self.network(
            decoder_input_ids=decoder_input_ids,
            attention_mask=attention_mask,
            encoder_outputs=(nothing,),  # of which only the shape is looked at
            past_key_values=memory,
            use_cache=True,
        )
        return {"logits": said.logits, "past_key_values": said.past_key_values.self_attention_cache}


def decoder_of(network: PreTrainedModel, sample: Sample) -> tuple[nn.Module, dict[str, Any]]:
    """A causal language model, with inputs to trace it with: a padded prompt, and words after it.

    transformers' exporter makes two graphs, one for the prompt and one for each next word, with all weights in both. The second,
    traced over several words at once, reads a prompt too where nothing is remembered yet; so it is the only one here.
    """
    from transformers.exporters.utils import decompose_for_generation

    ids = torch.from_numpy(sample.batches[0]["input_ids"][:1, :1]).expand(2, 7).clone()
    mask = torch.ones_like(ids)
    mask[0, :3] = 0  # a padded prompt, or the mask would be traced away
    settings = copy.deepcopy(network.generation_config)
    settings.eos_token_id = None  # the traced words are no text: nothing may end them
    settings.do_sample, settings.num_beams = False, 1
    stages = decompose_for_generation(
        network, {"input_ids": ids, "attention_mask": mask}, generation_config=settings, multi_token_decode=True
    )
    found: tuple[nn.Module, dict[str, Any]] = stages["decode"]
    return found


def stages_of(network: PreTrainedModel, sample: Sample) -> dict[str, tuple[nn.Module, dict[str, Any], dict[str, Any]]]:
    """``encoder`` and ``decoder``, each with inputs to trace it with (a padded text, and words after others) and their free axes."""
    ids = torch.from_numpy(sample.batches[0]["input_ids"][:1, :1]).expand(2, 7).clone()
    mask = torch.ones_like(ids)
    mask[0, 4:] = 0  # or the mask would be traced away
    encoder, decoder = EncoderStage(network).eval(), DecoderStage(network).eval()
    with torch.no_grad():
        cross = encoder(ids, mask)["cross"]
        said = network(
            input_ids=ids, attention_mask=mask, decoder_input_ids=_begun(network, ids[:, :3]), use_cache=True
        )
    past = said.past_key_values.self_attention_cache
    words = {
        "decoder_input_ids": _begun(network, ids[:, :5]),
        "attention_mask": mask,
        "cross": cross,
        "past_key_values": past,
    }
    batch, free, number = Dim("batch"), Dim.AUTO, 2 * len(cross.layers)
    text, layers = {0: batch, 1: free}, [{0: batch, 2: free}] * number
    axes = {"decoder_input_ids": text, "attention_mask": text, "cross": layers, "past_key_values": layers}
    given = {"input_ids": ids, "attention_mask": mask}
    return {"encoder": (encoder, given, dict.fromkeys(given, text)), "decoder": (decoder, words, axes)}


def _begun(network: PreTrainedModel, ids: Int[Tensor, "batch words"]) -> Int[Tensor, "batch words"]:
    """As many words for a decoder, which may know others than the encoder does: the one that each text begins with."""
    return torch.full_like(ids, int(network.config.decoder_start_token_id or 0))
