"""The one attention function: what it maps, holds fixed and gates, in every kind of architecture."""

from typing import Any

import pytest
import torch
from transformers import (
    AlbertConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    BartConfig,
    BertConfig,
    Gemma2Config,
    GPT2Config,
    GptOssConfig,
    LlamaConfig,
    MarianConfig,
    ModernBertConfig,
    PreTrainedModel,
    T5Config,
)

from slimlit.models import read
from slimlit.models.attention import fixed_attention, gated_attention, mapped_attention
from slimlit.models.attention_watch import AttentionKind
from slimlit.types import Batch

STACK = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "pad_token_id": 0}
PAIR = {
    **{"vocab_size": 30, "d_model": 16, "encoder_layers": 2, "decoder_layers": 1, "pad_token_id": 0, "eos_token_id": 1},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 4, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32},
    **{"max_position_embeddings": 32, "decoder_start_token_id": 0, "forced_eos_token_id": None, "init_std": 0.5},
}
WIDE = {"intermediate_size": 32, "initializer_range": 0.5}
NAMES = {"bos_token_id": 1, "eos_token_id": 2}
LIKE_LLAMA = {**STACK, **WIDE, **NAMES, "num_key_value_heads": 2, "head_dim": 4, "max_position_embeddings": 32}
CONFIGS: dict[str, tuple[Any, Any]] = {
    "bert": (AutoModelForMaskedLM, lambda: BertConfig(**STACK, **WIDE)),
    "albert": (AutoModelForMaskedLM, lambda: AlbertConfig(**STACK, **WIDE, embedding_size=8)),
    "modernbert": (
        AutoModelForMaskedLM,
        lambda: ModernBertConfig(**STACK, **WIDE, local_attention=4, global_attn_every_n_layers=2),
    ),
    "llama": (AutoModelForCausalLM, lambda: LlamaConfig(**LIKE_LLAMA)),
    "gpt2": (AutoModelForCausalLM, lambda: GPT2Config(**STACK, **NAMES, n_positions=32, initializer_range=0.5)),
    "gemma2": (AutoModelForCausalLM, lambda: Gemma2Config(**LIKE_LLAMA, attn_logit_softcapping=1.0, sliding_window=3)),
    "gpt_oss": (
        AutoModelForCausalLM,
        lambda: GptOssConfig(**LIKE_LLAMA, num_local_experts=2, num_experts_per_tok=1, sliding_window=3),
    ),
    "bart": (AutoModelForSeq2SeqLM, lambda: BartConfig(**PAIR, forced_bos_token_id=None, bos_token_id=2)),
    "marian": (AutoModelForSeq2SeqLM, lambda: MarianConfig(**PAIR)),
    "t5": (
        AutoModelForSeq2SeqLM,
        lambda: T5Config(
            vocab_size=30,
            d_model=16,
            d_kv=4,
            d_ff=32,
            num_layers=2,
            num_decoder_layers=1,
            num_heads=4,
            decoder_start_token_id=0,
            dropout_rate=0.0,
            initializer_factor=2.0,
        ),
    ),
}


def a_network(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    auto, config = CONFIGS[name]
    network: PreTrainedModel = auto.from_config(config()).eval()
    return network


def a_batch(network: PreTrainedModel) -> Batch:
    ids = torch.randint(3, 30, (2, 6), generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1] * 6, [1, 1, 1, 0, 0, 0]])
    batch = Batch(input_ids=ids, attention_mask=mask, labels=ids, example_id=torch.arange(2))
    if network.config.is_encoder_decoder:
        batch["decoder_input_ids"] = torch.tensor([[0, 5, 6, 7], [0, 9, 4, 8]])
    return batch


def shown(network: PreTrainedModel, batch: Batch, kind: AttentionKind) -> torch.Tensor:
    """The queries that are no padding."""
    length = 4 if network.config.is_encoder_decoder and kind != "encoder" else 6
    return batch["attention_mask"].bool() if length == 6 else torch.ones(2, 4, dtype=torch.bool)


@torch.no_grad()
def eager(network: PreTrainedModel, batch: Batch) -> dict[str, Any]:
    """What transformers itself gives, from the one implementation that does give its maps."""
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    ids = {name: batch[name] for name in ("input_ids", "attention_mask", "decoder_input_ids") if name in batch}  # type: ignore[literal-required]
    found = network(**ids, output_attentions=True)
    network.set_attn_implementation(before)
    own = "encoder" if type(network.config) in AutoModelForMaskedLM._model_mapping else "decoder"
    single = {own: found.get("attentions")}
    maps = {kind: found.get(f"{kind}_attentions") for kind in ("encoder", "decoder", "cross")}
    return {"logits": found.logits, **(maps if network.config.is_encoder_decoder else single)}


@pytest.mark.parametrize("name", CONFIGS)
def test_maps_are_what_the_network_attends_with_and_apart_by_kind_and_layer(name: str) -> None:
    network = a_network(name)
    batch = a_batch(network)
    with torch.no_grad(), mapped_attention(network) as maps:
        logits = read(network, batch).logits
    truth = eager(network, batch)
    seen = shown(network, batch, "decoder" if network.config.is_encoder_decoder else "encoder")
    torch.testing.assert_close(logits[seen], truth.pop("logits")[seen])
    assert set(maps) == set(truth)
    for kind, layers in maps.items():
        real = shown(network, batch, kind)
        for found, expected in zip(layers, truth[kind], strict=True):
            torch.testing.assert_close(found.transpose(1, 2)[real], expected.transpose(1, 2)[real])


@pytest.mark.parametrize("name", CONFIGS)
def test_held_fixed_attention_says_the_same_and_no_gradient_goes_through_where_it_looks(name: str) -> None:
    network = a_network(name)
    batch = a_batch(network)
    plain = eager(network, batch)["logits"] if name in ("gemma2", "gpt_oss") else read(network, batch).logits
    with fixed_attention(network):
        logits = read(network, batch).logits
        with mapped_attention(network) as maps:
            read(network, batch)
    seen = shown(network, batch, "decoder" if network.config.is_encoder_decoder else "encoder")
    torch.testing.assert_close(logits[seen], plain[seen])
    assert logits.requires_grad
    assert not any(layer.requires_grad for layers in maps.values() for layer in layers)


@pytest.mark.parametrize("name", CONFIGS)
def test_gates_of_one_change_nothing_to_the_bit(name: str) -> None:
    network = a_network(name)
    batch = a_batch(network)
    plain = eager(network, batch)["logits"] if name in ("gemma2", "gpt_oss") else read(network, batch).logits
    with mapped_attention(network) as maps, torch.no_grad():
        read(network, batch)
    gates = {kind: torch.ones(len(layers), layers[0].shape[1]) for kind, layers in maps.items()}
    with gated_attention(network, gates):
        gated = read(network, batch).logits
    seen = shown(network, batch, "decoder" if network.config.is_encoder_decoder else "encoder")
    assert torch.equal(gated[seen], plain[seen])


def test_a_gate_of_zero_removes_the_head() -> None:
    network = a_network("bert")
    batch = a_batch(network)
    gates = {"encoder": torch.ones(2, 4)}
    gates["encoder"][1, 2] = 0.0
    with gated_attention(network, gates), torch.no_grad():  # type: ignore[arg-type]
        gated = read(network, batch).logits
    self_attention: Any = network.get_submodule("bert.encoder.layer.1.attention")
    with torch.no_grad():
        self_attention.output.dense.weight[:, 8:12] = 0.0  # reads head 2 of width 4
        removed = read(network, batch).logits
    torch.testing.assert_close(gated, removed)


def test_each_example_may_have_gates_of_its_own() -> None:
    network = a_network("bert")
    batch = a_batch(network)
    gates = torch.rand(2, 2, 4)  # layers, examples, heads
    with torch.no_grad(), gated_attention(network, {"encoder": gates}):
        together = read(network, batch).logits
    for row in range(2):
        with torch.no_grad(), gated_attention(network, {"encoder": gates[:, row]}):
            torch.testing.assert_close(read(network, batch).logits[row], together[row])


def test_gates_have_the_gradients_of_finite_differences() -> None:
    network = a_network("bart").double()
    batch = a_batch(network)
    gates: dict[AttentionKind, torch.Tensor] = {
        "encoder": torch.ones(2, 2, dtype=torch.float64, requires_grad=True),
        "decoder": torch.ones(1, 4, dtype=torch.float64, requires_grad=True),
        "cross": torch.ones(1, 4, dtype=torch.float64, requires_grad=True),
    }

    def total() -> torch.Tensor:
        with gated_attention(network, gates):
            return read(network, batch).logits[0, 2, 4]

    found = dict(zip(gates, torch.autograd.grad(total(), list(gates.values())), strict=True))
    for kind, gate in gates.items():
        with torch.no_grad():
            gate[-1, 1] += 1e-5
            above = total()
            gate[-1, 1] -= 2e-5
            below = total()
            gate[-1, 1] += 1e-5
        assert float((above - below) / 2e-5) == pytest.approx(float(found[kind][-1, 1]), rel=1e-5, abs=1e-8)


def test_gradients_of_an_answer_with_respect_to_the_maps_can_be_asked_for() -> None:
    network = a_network("llama")
    batch = a_batch(network)
    with mapped_attention(network) as maps:
        said = read(network, batch).logits[0, 3, 5]
    gradients = torch.autograd.grad(said, maps["decoder"])
    assert gradients[0][0, :, :4].any()
    assert not gradients[0][0, :, 4:].any()  # what comes later said nothing of it
    assert not gradients[0][1].any()  # nor did the other example


def test_a_second_pass_begins_anew() -> None:
    network = a_network("marian")
    batch = a_batch(network)
    gates = {"cross": torch.ones(1, 4)}
    with torch.no_grad(), mapped_attention(network) as maps, gated_attention(network, gates):  # type: ignore[arg-type]
        read(network, batch)
        read(network, batch)
    assert {kind: len(layers) for kind, layers in maps.items()} == {"encoder": 2, "decoder": 1, "cross": 1}


def test_another_network_within_the_block_is_left_alone() -> None:
    network, other = a_network("bert"), a_network("bert")
    other.set_attn_implementation("slimlit")
    batch = a_batch(network)
    with torch.no_grad():
        plain = read(other, batch).logits
        with gated_attention(network, {"encoder": torch.zeros(2, 4)}):
            assert torch.equal(read(other, batch).logits, plain)


def test_gates_that_do_not_fit_are_told_with_the_shape_expected() -> None:
    network = a_network("bert")
    for shape in ((1, 4), (2, 3)):
        with (
            gated_attention(network, {"encoder": torch.ones(shape)}),
            pytest.raises(ValueError, match="expected one gate"),
        ):
            read(network, a_batch(network))
