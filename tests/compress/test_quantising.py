"""Few bits a weight: near what the network said, small on disk, loaded by transformers, and felt in training."""

import copy
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModelForCausalLM

from slimlit.compress import quantise
from slimlit.compress.pruning import count
from slimlit.compress.quantising import feel_rounding
from slimlit.models.pretrained import quiet_files
from slimlit.models.quantised import Activations, QuantisedEmbedding, QuantisedLinear, restore_modules
from slimlit.models.rounding import Bits, quantise_rows, restore_rows, rounded
from slimlit.models.seen_words import train_all_words, train_seen_words
from tests.compress.networks import IDS, MAKERS, make, run

HOW: list[tuple[Bits, Activations, float]] = [(8, "float", 0.9995), (4, "float", 0.95), (8, "int8", 0.999)]


@pytest.mark.parametrize(("bits", "activations", "least"), HOW)
@pytest.mark.parametrize("name", ["masked-bert", "llama", "t5", "marian", "classifier"])
def test_it_says_nearly_the_same_and_is_loaded_as_it_was_saved(
    name: str, bits: Bits, activations: Activations, least: float, tmp_path: Path
) -> None:
    network = make(name)
    small = quantise(network, bits, activations)
    before, after = run(network), run(small)
    assert torch.cosine_similarity(before.flatten(), after.flatten(), 0) > least
    with quiet_files():
        small.save_pretrained(tmp_path)
        loaded = type(network).from_pretrained(tmp_path).eval()
    torch.testing.assert_close(run(loaded), after, atol=1e-6, rtol=0)
    assert count(small)[1] < 0.5 * count(network)[1]
    assert (tmp_path / "model.safetensors").stat().st_size < 0.5 * count(network)[1] + 25_000  # names of tensors


def test_tied_tables_are_stored_once_and_stay_tied(tmp_path: Path) -> None:
    small = quantise(make("llama"))
    assert "lm_head.codes" not in small.state_dict()
    with quiet_files():
        small.save_pretrained(tmp_path)
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert loaded.lm_head.codes is loaded.model.embed_tokens.codes


@pytest.mark.parametrize("name", ["llama", "t5", "marian"])
def test_restored_weights_say_what_the_rounded_ones_said_and_stay_tied(name: str) -> None:
    small = quantise(make(name), 4)
    said = run(small)
    restore_modules(small)
    torch.testing.assert_close(run(small), said, atol=1e-6, rtol=0)
    assert "quantization_config" not in small.config.to_dict()
    assert not any(isinstance(one, QuantisedLinear | QuantisedEmbedding) for one in small.modules())
    shared = small.slimlit_ties
    assert all(small.get_submodule(one).weight is small.get_submodule(other).weight for one, other in shared.items())


@pytest.mark.parametrize(("bits", "width"), [(8, 12), (4, 12), (4, 64)])
def test_no_weight_moves_by_more_than_half_a_step(bits: Bits, width: int) -> None:
    rows = torch.randn(5, width, generator=torch.Generator().manual_seed(0))
    codes, step = quantise_rows(rows, bits)
    assert step.shape == (5, 2 if width == 64 else 1)
    restored = restore_rows(codes, step, bits)
    assert bool(((restored - rows).abs() <= 0.5001 * step.repeat_interleave(width // step.shape[1], 1)).all())
    assert torch.equal(restored, rounded(rows, bits))


def test_rows_of_zeros_stay_zero() -> None:
    assert torch.equal(restore_rows(*quantise_rows(torch.zeros(2, 8), 8), 8), torch.zeros(2, 8))


def test_with_rounded_states_a_token_does_not_depend_on_its_neighbours() -> None:
    linear = QuantisedLinear(16, 8, 8, "int8", has_bias=True)
    linear.codes, linear.step = quantise_rows(torch.randn(8, 16), 8)
    states = torch.randn(1, 3, 16)
    alone = linear(states[:, :1])
    states[:, 1:] *= 100.0
    assert torch.equal(linear(states)[:, :1], alone)


@pytest.mark.parametrize(("bits", "activations", "least"), HOW)
def test_a_network_that_feels_the_rounding_says_what_the_quantised_one_says(
    bits: Bits, activations: Activations, least: float
) -> None:
    network = make("classifier")
    feeling = copy.deepcopy(network)
    feel_rounding(feeling, bits, activations)
    torch.testing.assert_close(run(feeling), run(quantise(network, bits, activations)), atol=1e-5, rtol=0)
    assert feeling.state_dict().keys() == network.state_dict().keys()
    torch.testing.assert_close(run(quantise(feeling, bits, activations)), run(quantise(network, bits, activations)))


def test_the_gradient_passes_the_rounding() -> None:
    rows = torch.randn(3, 8, requires_grad=True)
    rounded(rows, 4).sum().backward()  # type: ignore[no-untyped-call]
    assert rows.grad is not None
    assert torch.equal(rows.grad, torch.ones(3, 8))


def test_a_table_of_seen_words_feels_the_rounding_too() -> None:
    network = make("classifier")
    plain = copy.deepcopy(network)
    train_seen_words(network, IDS[0].tolist())
    feel_rounding(network)
    feel_rounding(plain)
    torch.testing.assert_close(run(network), run(plain))
    train_all_words(network)
    assert isinstance(quantise(network).get_input_embeddings(), QuantisedEmbedding)


def test_what_cannot_be_quantised_is_told() -> None:
    with pytest.raises(ValueError, match="activations of int8 go with weights of 8 bits"):
        quantise(make("classifier"), 4, "int8")
    with pytest.raises(ValueError, match="quantised already"):
        quantise(quantise(make("classifier")))


def test_every_network_keeps_its_small_parts_exact() -> None:
    for name in MAKERS:
        small = quantise(make(name))
        exact = [part for part in small.modules() if type(part) is nn.Linear]
        assert all(part.weight.numel() < 128 or len(part.weight) < 8 for part in exact)
