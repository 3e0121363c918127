"""What the numbers of a method sum to."""

import pytest
import torch
from transformers import PreTrainedModel

from slimlit.explain.methods import METHODS
from slimlit.explain.methods.integrated_gradients import IntegratedGradients
from slimlit.explain.question import Question, answer, score
from slimlit.models.fixed_gates import fixed_gates
from slimlit.models.fixed_norms import fixed_norms
from slimlit.models.network import Kind
from slimlit.models.word_embeddings import changed_embeddings
from slimlit.types import Batch
from tests.explain.methods.networks import KINDS, a_batch, a_network, a_question, a_t5
from tests.explain.methods.test_contract import NO_CAPTUM


def test_input_times_gradient_sums_to_the_logit_of_a_t5() -> None:
    network, batch, question = (
        a_t5(),
        a_batch("seq2seq_lm"),
        a_question("seq2seq_lm"),
    )  # RMSNorm, ReLU, no bias anywhere
    said = score(answer(network, batch, question), question)
    torch.testing.assert_close(METHODS["input-gradient"](network, batch, question).sum(dim=1), said)


@pytest.mark.parametrize("kind", ["llama", "gated T5"])
def test_input_times_gradient_sums_to_the_logit_where_layers_are_gated(kind: str) -> None:
    asked: Kind = "causal_lm" if kind == "llama" else "seq2seq_lm"
    network = a_network(asked) if kind == "llama" else a_t5(feed_forward_proj="gated-gelu")
    batch, question = a_batch(asked), a_question(asked)
    said = score(answer(network, batch, question), question)
    torch.testing.assert_close(METHODS["input-gradient"](network, batch, question).sum(dim=1), said)


def test_gates_held_fixed_say_the_same_and_plain_activations_are_left_alone() -> None:
    for kind in KINDS:
        network, batch, question = a_network(kind), a_batch(kind), a_question(kind)
        plain = answer(network, batch, question)
        with fixed_gates(network):
            fixed = answer(network, batch, question)
        torch.testing.assert_close(fixed, plain, rtol=0, atol=0)
        weight = next(part for name, part in network.named_parameters() if name.endswith(_FIRST_OF_LAYER))
        gradients = [torch.autograd.grad(each.sum(), weight, allow_unused=True)[0] for each in (plain, fixed)]
        if kind == "causal_lm":
            assert gradients[0].any()
            assert gradients[1] is None
        else:
            torch.testing.assert_close(gradients[1], gradients[0])


_FIRST_OF_LAYER = ("gate_proj.weight", "intermediate.dense.weight", "fc1.weight")


@pytest.mark.parametrize("kind", KINDS)
def test_rollout_sums_to_one(kind: Kind) -> None:
    found = METHODS["attention-rollout"](a_network(kind), a_batch(kind), a_question(kind))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(2))


@NO_CAPTUM
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask_id", [None, 13])
def test_integrated_gradients_sum_to_the_logit_minus_that_of_the_masked_text(kind: Kind, mask_id: int | None) -> None:
    network, batch, question = a_network(kind), a_batch(kind), a_question(kind)
    _check_complete(IntegratedGradients(mask_id, frozenset({3}), num_steps=100), network, batch, question)


@NO_CAPTUM
def test_integrated_gradients_are_complete_where_encoder_and_decoder_share_their_words() -> None:
    network = a_t5()
    assert network.get_encoder().get_input_embeddings().weight is network.get_decoder().get_input_embeddings().weight
    batch, question = a_batch("seq2seq_lm"), a_question("seq2seq_lm")
    _check_complete(IntegratedGradients(13, num_steps=200), network, batch, question)


def _check_complete(method: IntegratedGradients, network: PreTrainedModel, batch: Batch, question: Question) -> None:
    starts = method.masked(network, batch, question)
    with torch.no_grad():
        whole = score(answer(network, batch, question), question)
        with changed_embeddings(network, lambda number, _: starts[number]):
            masked = score(answer(network, batch, question), question)
    assert (whole - masked).abs().min() > 0.01
    torch.testing.assert_close(method(network, batch, question).sum(dim=1), whole - masked, atol=5e-3, rtol=5e-3)


@NO_CAPTUM
def test_a_masked_text_is_the_text_of_mask_tokens_whose_special_tokens_and_padding_stay() -> None:
    network, batch = a_network("sequence_classification"), a_batch("sequence_classification")
    question = a_question("sequence_classification")
    method = IntegratedGradients(13, frozenset({3}), num_steps=2)
    (start,) = method.masked(network, batch, question)
    expected = torch.tensor([[3, 13, 13, 13, 13, 13], [13, 13, 13, 0, 0, 0]])
    torch.testing.assert_close(start, network.get_input_embeddings()(expected).detach())
    assert not method(network, batch, question)[0, 0]


@pytest.mark.parametrize("norm", [torch.nn.LayerNorm(6), torch.nn.RMSNorm(6), "llama", "gemma2", "t5"])
def test_a_norm_is_linear_in_its_input_up_to_its_bias(norm: torch.nn.Module | str) -> None:
    from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
    from transformers.models.llama.modeling_llama import LlamaRMSNorm
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    torch.manual_seed(0)
    named = {"llama": LlamaRMSNorm, "gemma2": Gemma2RMSNorm, "t5": T5LayerNorm}
    module = named[norm](6) if isinstance(norm, str) else norm
    for weight in module.parameters():
        torch.nn.init.normal_(weight)
    vectors = torch.randn(2, 3, 6, requires_grad=True)
    with fixed_norms():
        out = module(vectors)
    torch.testing.assert_close(out, module(vectors))
    (gradient,) = torch.autograd.grad(out.sum(), vectors)
    bias = module.bias.sum() if isinstance(module, torch.nn.LayerNorm) else 0.0
    torch.testing.assert_close((vectors * gradient).sum(dim=-1), out.sum(dim=-1) - bias, rtol=1e-4, atol=1e-5)
