"""What every method promises, of every kind of network."""

from collections.abc import Iterator

import pytest
import torch

from slimlit.explain.method import Method
from slimlit.explain.methods import FAST, METHODS, SURE, UNSIGNED, LeaveOneOut, methods_for
from slimlit.explain.methods.integrated_gradients import has_captum
from slimlit.explain.question import Question, answer, ask, readable, score, take, without
from slimlit.models.network import Kind
from tests.explain.methods.networks import KINDS, a_batch, a_network, a_question

NO_CAPTUM = pytest.mark.skipif(not has_captum(), reason="Captum is missing: pip install 'slimlit[captum]'")


def cases() -> Iterator[object]:
    for kind in KINDS:
        for name, method in METHODS.items():
            if kind == "sequence_classification" or not name.startswith("pooling"):
                marks = NO_CAPTUM if name == "integrated-gradients" else ()
                yield pytest.param(kind, method, id=f"{kind}-{name}", marks=marks)


every = pytest.mark.parametrize(("kind", "method"), list(cases()))


@every
def test_inputs_that_are_not_readable_get_exactly_zero(kind: Kind, method: Method) -> None:
    batch, question = a_batch(kind), a_question(kind)
    found = method(a_network(kind), batch, question)
    real = readable(batch, question)
    assert found.shape == real.shape
    assert found.dtype == torch.float32
    assert not found[~real].any()
    assert found[real].isfinite().all()
    assert found[0].any()


@every
def test_an_examples_numbers_do_not_depend_on_its_neighbours_or_on_padding(kind: Kind, method: Method) -> None:
    network, batch, question = a_network(kind), a_batch(kind, tokens=9), a_question(kind)
    found = method(network, batch, question)
    short = take(batch, torch.tensor([1]))
    shape = found.shape
    kept = torch.arange(shape[1]) < 3
    for part in ("input_ids", "attention_mask"):
        short[part] = short[part][:, :3]  # type: ignore[literal-required]
    if kind == "seq2seq_lm":
        short["decoder_input_ids"] = short["decoder_input_ids"][:, :2]
        kept[9:11] = True
    alone = method(network, short, ask(question, torch.tensor([1])))
    torch.testing.assert_close(found[1:, kept], alone)


@every
def test_weights_gradients_and_mode_are_left_as_they_were_and_it_is_read_in_eval_mode(
    kind: Kind, method: Method
) -> None:
    network, batch, question = a_network(kind), a_batch(kind), a_question(kind)
    expected = method(network, batch, question)
    weights = {name: part.clone() for name, part in network.state_dict().items()}
    network.train()
    some = next(network.parameters())
    some.grad = torch.ones_like(some)
    network.get_input_embeddings().eval()
    modes = [part.training for part in network.modules()]
    trained = [part.requires_grad for part in network.parameters()]
    implementation = network.config._attn_implementation
    torch.testing.assert_close(method(network, batch, question), expected, rtol=0, atol=0)
    assert [part.training for part in network.modules()] == modes
    assert network.config._attn_implementation == implementation
    assert all(torch.equal(part, weights[name]) for name, part in network.state_dict().items())
    assert torch.equal(some.grad, torch.ones_like(some))
    assert [part.requires_grad for part in network.parameters()] == trained
    assert all(part.grad is None for part in network.parameters() if part is not some)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


@every
def test_it_needs_no_gradients_around_it_nor_trainable_weights_nor_a_batch_made_where_there_are_any(
    kind: Kind, method: Method
) -> None:
    network, batch, question = a_network(kind), a_batch(kind), a_question(kind)
    expected = method(network, batch, question)
    with torch.inference_mode():
        every_row = torch.arange(2)
        batch, question = take(batch, every_row), ask(question, every_row)
        found = method(network, batch, question)
    torch.testing.assert_close(found, expected)
    network.requires_grad_(False)
    torch.testing.assert_close(method(network, batch, question), expected)
    assert not found.requires_grad


def test_methods_without_a_sign_are_never_negative() -> None:
    network, batch, question = (make("sequence_classification") for make in (a_network, a_batch, a_question))
    for name in UNSIGNED:
        assert (METHODS[name](network, batch, question) >= 0).all()


def test_numbers_at_random_depend_on_the_text_and_on_what_is_asked_of_it() -> None:
    network, batch = a_network("causal_lm"), a_batch("causal_lm")
    same = take(batch, torch.tensor([0, 0, 0]))
    found = METHODS["random"](network, same, Question(torch.tensor([1, 1, 2]), torch.tensor([3, 3, 3]), "causal_lm"))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_leaving_out_in_chunks_of_one_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    network, batch, question = (make("seq2seq_lm") for make in (a_network, a_batch, a_question))
    expected = LeaveOneOut()(network, batch, question)
    monkeypatch.setattr(sys.modules[LeaveOneOut.__module__], "CHUNK_TOKENS", 1)
    torch.testing.assert_close(LeaveOneOut()(network, batch, question), expected)


def test_the_word_at_the_place_asked_is_left_out_too() -> None:
    network, batch, question = (make("token_classification") for make in (a_network, a_batch, a_question))
    masked = take(batch, torch.tensor([0]))
    masked["input_ids"][0, 2], masked["attention_mask"][0, 2] = 13, 0
    with torch.no_grad():
        own = score(answer(network, batch, question), question)[0]
        gone = score(answer(network, masked, ask(question, torch.tensor([0]))), ask(question, torch.tensor([0])))[0]
    found = LeaveOneOut(mask_id=13)(network, batch, question)
    torch.testing.assert_close(found[0, 2], own - gone)


def test_a_tagger_has_no_pooling_and_a_classifier_has() -> None:
    pooling = {"pooling-weights", "pooling-share"}
    extra = set() if has_captum() else {"integrated-gradients"}
    assert set(methods_for(a_network("sequence_classification"), "sequence_classification")) == set(METHODS) - extra
    assert set(methods_for(a_network("token_classification"), "token_classification")) == set(METHODS) - pooling - extra
    assert {FAST, SURE} <= set(METHODS) - pooling - extra


@pytest.mark.parametrize("name", ["pooling-weights", "pooling-share"])
def test_a_tagger_asked_for_its_pooling_is_told_what_to_use(name: str) -> None:
    kind: Kind = "token_classification"
    with pytest.raises(ValueError, match="input-gradient fits every network"):
        METHODS[name](a_network(kind), a_batch(kind), a_question(kind))


def test_a_missing_captum_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    import slimlit.explain.methods.integrated_gradients as place

    monkeypatch.setattr(place, "has_captum", lambda: False)
    kind: Kind = "causal_lm"
    with pytest.raises(ValueError, match=r"slimlit\[captum\]"):
        METHODS["integrated-gradients"](a_network(kind), a_batch(kind), a_question(kind))


@NO_CAPTUM
def test_leave_one_out_is_captums_ablation_of_which_inputs_are_there() -> None:
    from captum.attr import FeatureAblation

    network, batch = a_network("seq2seq_lm"), take(a_batch("seq2seq_lm"), torch.tensor([0]))
    question = ask(a_question("seq2seq_lm"), torch.tensor([0]))

    def answer_of(present: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return score(answer(network, without(batch, present == 0), question), question)

    ablated = FeatureAblation(answer_of).attribute(readable(batch, question).float())
    found = LeaveOneOut()(network, batch, question)
    elsewhere = (
        torch.arange(10) != 6 + 2
    )  # the place asked: its own word stays known to it where only attention is taken
    torch.testing.assert_close(found[:, elsewhere], ablated[:, elsewhere])
