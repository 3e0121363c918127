"""A document says in a packed row what it says alone, in every architecture that packs; the others are refused."""

import pytest
import torch
from transformers import AutoConfig, PreTrainedModel

from slimlit.models import read
from slimlit.models.architectures import STOCK
from slimlit.models.attention import quicken_dropout
from slimlit.models.network import Kind
from slimlit.models.packing import check_packing
from slimlit.types import Batch

_SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
_BERT = {**_SIZES, "max_position_embeddings": 40, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 40, "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}  # fmt: skip
PACKED: dict[str, tuple[Kind, dict[str, object]]] = {
    "gpt2": ("causal_lm", _GPT2),
    "llama": ("causal_lm", {**_SIZES, "num_key_value_heads": 2}),
    "qwen3": ("causal_lm", {**_SIZES, "num_key_value_heads": 2, "head_dim": 4}),
    "mistral": ("causal_lm", {**_SIZES, "num_key_value_heads": 2, "sliding_window": 3}),
    "bert": ("masked_lm", _BERT),
    "roberta": ("masked_lm", _BERT),
    "electra": ("masked_lm", {**_BERT, "embedding_size": 12}),
    "distilbert": ("masked_lm", {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24, "dropout": 0.0, "attention_dropout": 0.0}),
    "modernbert": ("masked_lm", {**_SIZES, "local_attention": 4, "global_attn_every_n_layers": 2}),
}  # fmt: skip
LENGTHS = ([5, 1, 8], [11, 2])


def make(name: str, kind: Kind, settings: dict[str, object], attention: str = "sdpa") -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(name, vocab_size=50, pad_token_id=0, bos_token_id=1, eos_token_id=2, **settings)
    network: PreTrainedModel = STOCK[kind].from_config(config, attn_implementation=attention).train()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.15)
    return network


def packed() -> Batch:
    random = torch.Generator().manual_seed(1)
    ids = torch.zeros(2, 14, dtype=torch.int64)
    positions, segments = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, lengths in enumerate(LENGTHS):
        ids[row, : sum(lengths)] = torch.randint(3, 50, (sum(lengths),), generator=random)
        positions[row, : sum(lengths)] = torch.cat([torch.arange(length) for length in lengths])
        numbers = torch.arange(1, len(lengths) + 1)
        segments[row, : sum(lengths)] = numbers.repeat_interleave(torch.tensor(lengths))
    mask = (segments > 0).long()
    return Batch(
        input_ids=ids, attention_mask=mask, labels=ids, example_id=torch.arange(2), position_ids=positions,
        segment_ids=segments,
    )  # fmt: skip


def documents() -> list[Batch]:
    whole, found = packed(), []
    for row, lengths in enumerate(LENGTHS):
        start = 0
        for length in lengths:
            ids = whole["input_ids"][row : row + 1, start : start + length]
            found.append(
                Batch(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids, example_id=torch.zeros(1).long())
            )
            start += length
    return found


def gradients(network: PreTrainedModel, logits: list[torch.Tensor]) -> list[torch.Tensor]:
    loss = torch.stack([one.square().sum() for one in logits]).sum()
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [gradient for gradient in found if gradient is not None]


@pytest.mark.parametrize("attention", ["sdpa", "slimlit", "eager"])
@pytest.mark.parametrize("name", PACKED)
def test_a_document_says_in_a_packed_row_what_it_says_alone_and_learns_the_same(name: str, attention: str) -> None:
    network = make(name, *PACKED[name], "sdpa" if attention == "slimlit" else attention)
    if attention == "slimlit":
        quicken_dropout(network)
        assert network.config._attn_implementation == "slimlit"
    alone = [read(network, document).logits[0] for document in documents()]
    whole = packed()
    logits = read(network, whole).logits
    together = [one for row, lengths in enumerate(LENGTHS) for one in logits[row, : sum(lengths)].split(list(lengths))]
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients(network, together), gradients(network, alone), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()) + 1e-6)
    check_packing(network, 24)


@pytest.mark.parametrize("name", ["bloom", "opt"])
def test_an_architecture_that_looks_across_documents_is_refused(name: str) -> None:
    opt = {**_SIZES, "ffn_dim": 24, "word_embed_proj_dim": 16, "max_position_embeddings": 40, "dropout": 0.0}
    settings = {"bloom": {"hidden_size": 16, "n_layer": 2, "n_head": 2}, "opt": opt}[name]
    network = make(name, "causal_lm", settings, "eager")
    with pytest.raises(ValueError, match="ForCausalLM cannot read packed rows") as caught:
        check_packing(network, 24)
    assert "packing to false" in str(caught.value)
