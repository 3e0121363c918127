"""Losses over a vocabulary beside their formulas, gradients included; and what they never hold, read or mix."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from slimlit.types import WordHead
from slimlit.vocabulary import (
    TopWords,
    top_k_divergence,
    top_words,
    vocabulary_cross_entropy,
    vocabulary_divergence,
)
from slimlit.vocabulary.blocks import Blocks

from .formulas import WORDS, Inputs, in_double, make_inputs, naive

TWO_TOKENS = 2 * 2 * 4 * WORDS / 2**20  # MiB: blocks of two tokens, or four where there is no teacher
Ours = Callable[[Inputs], Tensor]


def ours(
    kind: str,
    tau: float = 1.0,
    beta: float = 0.5,
    smoothing: float = 0.0,
    k: int = 5,
    label_share: float = 0.0,
    **more: Any,
) -> Ours:
    """The function of a kind, as a function of its inputs."""
    more = {"budget": TWO_TOKENS, **more}
    if kind == "labels":
        return lambda given: vocabulary_cross_entropy(*given.student, given.labels, smoothing, **more)
    if kind == "top":
        return lambda given: top_k_divergence(
            *given.student, top_words(given.teacher, given.counted, k, tau, **more), given.counted, tau, **more
        )
    return lambda given: vocabulary_divergence(
        *given.student,
        given.teacher,
        given.counted,
        tau,
        kind,
        beta,
        labels=given.labels,
        label_share=label_share,
        **more,  # type: ignore[arg-type]
    )


CASES: list[tuple[str, dict[str, Any]]] = [
    ("labels", {}),
    ("labels", {"smoothing": 0.3}),
    ("forward", {}),
    ("forward", {"tau": 3.0}),
    ("reverse", {"tau": 2.0}),
    ("jensen-shannon", {"beta": 0.1, "tau": 2.0}),
    ("jensen-shannon", {"beta": 0.9}),
    ("forward", {"tau": 3.0, "label_share": 0.3}),
    ("reverse", {"label_share": 0.7}),
    ("top", {"tau": 2.0}),
    ("top", {"k": 1}),
]
each_case = pytest.mark.parametrize(("kind", "settings"), CASES)


def gradients(losses: Tensor, given: Inputs, factors: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(losses, given.student, factors.to(losses.dtype))


@each_case
@pytest.mark.parametrize("alike", [True, False])
def test_values_and_gradients_are_those_of_the_formula(kind: str, settings: dict[str, Any], alike: bool) -> None:
    given = make_inputs()
    exact = in_double(given)
    factors = torch.full((5,), 0.2) if alike else torch.tensor([0.3, 5.0, -1.0, 0.0, 2.0])
    losses, wanted = ours(kind, **settings)(given), naive(exact, kind, **settings)
    torch.testing.assert_close(losses.double(), wanted, rtol=1e-5, atol=1e-6)
    assert losses[1] == 0.0
    for found, right in zip(gradients(losses, given, factors), gradients(wanted, exact, factors), strict=True):
        torch.testing.assert_close(found.double(), right, rtol=1e-5, atol=2e-6)


@each_case
def test_gradients_are_exact_in_float64(kind: str, settings: dict[str, Any]) -> None:
    given = make_inputs((2, 0, 1), dtype=torch.float64)
    top = top_words(given.teacher, given.counted, settings.get("k", 5), settings.get("tau", 1.0))

    def losses(*student: Tensor) -> Tensor:
        if kind == "top":
            return top_k_divergence(*student, top, given.counted, settings.get("tau", 1.0))
        return ours(kind, **settings)(Inputs(*student, given.teacher, given.labels))

    assert torch.autograd.gradcheck(losses, given.student)


@each_case
def test_a_second_backward_pass_brings_the_same(kind: str, settings: dict[str, Any]) -> None:
    given = make_inputs()
    losses = ours(kind, **settings)(given).mean()
    first = torch.autograd.grad(losses, given.student, retain_graph=True)
    second = torch.autograd.grad(losses, given.student)
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_equal_factors_need_no_second_pass_and_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    run = Blocks.run

    def counting(self: Blocks, gradient: bool) -> Any:
        passes.append(gradient)
        return run(self, gradient)

    monkeypatch.setattr(Blocks, "run", counting)
    given = make_inputs()
    ours("forward")(given).mean().backward()  # type: ignore[no-untyped-call]
    (0.3 * ours("forward")(given)).sum().backward()  # type: ignore[no-untyped-call]
    assert passes == [True, True]
    (torch.arange(5.0) * ours("forward")(given)).sum().backward()  # type: ignore[no-untyped-call]
    assert passes == [True, True, True, True]
    del passes[:]
    with torch.no_grad():
        ours("forward")(given)
    assert passes == [False]


@pytest.mark.parametrize("kind", ["forward", "reverse", "jensen-shannon"])
def test_a_student_that_says_what_the_teacher_says_loses_nothing(kind: str) -> None:
    given = make_inputs()
    same = Inputs(*given.student, WordHead(*[tensor.detach().clone() for tensor in given.student]), given.labels)
    losses = ours(kind, tau=2.0)(same)
    assert torch.equal(losses, torch.zeros(5))
    for gradient in gradients(losses, same, torch.ones(5)):
        assert torch.equal(gradient, torch.zeros_like(gradient))


@each_case
def test_tokens_that_are_not_counted_are_never_read(kind: str, settings: dict[str, Any]) -> None:
    given = make_inputs()
    wanted = ours(kind, **settings)(given)
    bad = given.hidden.detach().masked_fill(~given.counted.unsqueeze(2), torch.nan).requires_grad_()
    theirs = given.teacher.hidden.masked_fill(~given.counted.unsqueeze(2), torch.nan)
    teacher = WordHead(theirs, given.teacher.weight, given.teacher.bias)
    poisoned = Inputs(bad, given.weight, given.bias, teacher, given.labels)
    losses = ours(kind, **settings)(poisoned)
    assert torch.equal(losses, wanted)
    found = gradients(losses, poisoned, torch.ones(5))
    assert all(gradient.isfinite().all() for gradient in found)
    assert torch.equal(found[0][~given.counted], torch.zeros_like(found[0][~given.counted]))


@each_case
def test_more_padding_changes_nothing(kind: str, settings: dict[str, Any]) -> None:
    given = make_inputs()

    def wider(tensor: Tensor) -> Tensor:
        return torch.cat([tensor.detach(), torch.randn_like(tensor)], dim=1)

    teacher = WordHead(wider(given.teacher.hidden), given.teacher.weight, given.teacher.bias)
    labels = torch.cat([given.labels, torch.full_like(given.labels, -100)], dim=1)
    padded = Inputs(wider(given.hidden), given.weight, given.bias, teacher, labels)
    assert torch.equal(ours(kind, **settings)(padded), ours(kind, **settings)(given))


@each_case
def test_an_example_has_nothing_of_its_neighbours(kind: str, settings: dict[str, Any]) -> None:
    given = make_inputs()
    losses = ours(kind, **settings)(given)
    (reached,) = torch.autograd.grad(losses[2], given.hidden, retain_graph=True)
    assert reached[2].any()
    assert not reached[[0, 1, 3, 4]].any()
    row = slice(2, 3)
    teacher = WordHead(given.teacher.hidden[row], given.teacher.weight, given.teacher.bias)
    alone = Inputs(given.hidden[row], given.weight, given.bias, teacher, given.labels[row])
    torch.testing.assert_close(ours(kind, **settings)(alone), losses[row], rtol=1e-6, atol=1e-6)


@each_case
def test_nothing_counted_and_one_token_are_enough(kind: str, settings: dict[str, Any]) -> None:
    for counts in ((0, 0), (1,), (0, 1)):
        given = make_inputs(counts)
        losses = ours(kind, **settings)(given)
        torch.testing.assert_close(losses.double(), naive(in_double(given), kind, **settings), rtol=1e-5, atol=1e-6)
        assert all(gradient.isfinite().all() for gradient in gradients(losses, given, torch.ones(len(counts))))


@each_case
def test_the_size_of_blocks_changes_nothing(kind: str, settings: dict[str, Any]) -> None:
    given = make_inputs(words=1031)  # two blocks of words, one of them of seven
    wanted = ours(kind, **settings, budget=64.0)(given)
    torch.testing.assert_close(wanted.double(), naive(in_double(given), kind, **settings), rtol=1e-5, atol=1e-5)
    for budget in (1e-9, 3 * 1031 * 4 / 2**20, 0.1):
        torch.testing.assert_close(ours(kind, **settings, budget=budget)(given), wanted, rtol=1e-5, atol=1e-6)


def test_a_tied_table_gets_the_gradients_of_both_uses() -> None:
    given = make_inputs()
    places = torch.arange(30).view(5, 6) % WORDS

    def gradient(weight: Tensor, by: Callable[[Inputs], Tensor], of: Inputs) -> Tensor:
        hidden = torch.nn.functional.embedding(places, weight).tanh()
        (found,) = torch.autograd.grad(by(Inputs(hidden, weight, of.bias, of.teacher, of.labels)).mean(), weight)
        return found

    exact = in_double(given)
    found = gradient(given.weight, ours("forward"), given)
    wanted = gradient(exact.weight, lambda of: naive(of, "forward"), exact)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-6)


def test_no_more_logits_are_held_than_the_budget() -> None:
    class Largest(TorchDispatchMode):
        most = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for tensor in result if isinstance(result, (tuple, list)) else [result]:
                if isinstance(tensor, Tensor):
                    self.most = max(self.most, tensor.numel() * tensor.itemsize)
            return result

    words, budget = 20011, 1.0
    given = make_inputs((6,) * 20, words=words)
    for kind in ("labels", "forward", "reverse", "jensen-shannon", "top"):
        with Largest() as largest:
            ours(kind, budget=budget)(given).mean().backward()  # type: ignore[no-untyped-call]
        assert largest.most <= max(budget * 2**20, given.weight.numel() * 4)
        assert 120 * words * 4 > 8 * largest.most  # what the logits would take


@pytest.mark.parametrize("kind", ["labels", "forward", "jensen-shannon", "top"])
def test_under_autocast_products_are_bf16_and_the_rest_float32(kind: str) -> None:
    given = make_inputs((6,) * 8)
    exact = naive(in_double(given), kind)
    with torch.autocast("cpu", torch.bfloat16):
        losses = ours(kind)(given)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses.double(), exact, rtol=0.03, atol=0.03)
    rounded = Inputs(*given.student, given.teacher, given.labels)
    found = gradients(losses, rounded, torch.ones(8))
    wanted = gradients(ours(kind)(given), given, torch.ones(8))
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        assert float((one - other).norm() / other.norm()) < 0.03


def test_a_network_in_bf16_gets_gradients_in_bf16() -> None:
    given = make_inputs()
    student = [tensor.detach().bfloat16().requires_grad_() for tensor in given.student]
    losses = vocabulary_divergence(*student, given.teacher, given.counted)
    assert losses.dtype == torch.float32
    assert [found.dtype for found in torch.autograd.grad(losses.mean(), student)] == [torch.bfloat16] * 3


def test_padded_rows_of_a_head_are_left_out_where_the_number_of_words_is_given() -> None:
    given = make_inputs()
    wide = WordHead(given.teacher.hidden, torch.randn(WORDS + 9, 8), torch.randn(WORDS + 9))
    narrow = WordHead(given.teacher.hidden, wide.weight[:WORDS], wide.bias[:WORDS])  # type: ignore[index]
    padded = [torch.cat([tensor.detach(), torch.ones_like(tensor[:3])]) for tensor in (given.weight, given.bias)]
    student = given.hidden, *[tensor.requires_grad_() for tensor in padded]
    losses = vocabulary_divergence(*student, wide, given.counted, num_words=WORDS)
    wanted = vocabulary_divergence(*given.student, narrow, given.counted)
    assert torch.equal(losses, wanted)
    _, weight, bias = torch.autograd.grad(losses.mean(), student)
    assert torch.equal(weight[:WORDS], torch.autograd.grad(wanted.mean(), given.weight)[0])
    assert not weight[WORDS:].any()
    assert not bias[WORDS:].any()
    with pytest.raises(ValueError, match="the student has 26 words and the teacher 32\nexpected one vocabulary"):
        vocabulary_divergence(*student, wide, given.counted)
    with pytest.raises(ValueError, match="num_words is 27; expected 1 to 26"):
        vocabulary_divergence(*student, wide, given.counted, num_words=27)


@pytest.mark.parametrize(("beta", "limit"), [(1e-3, "forward"), (1 - 1e-3, "reverse")])
def test_jensen_shannon_nears_the_forward_and_the_reverse_divergence(beta: float, limit: str) -> None:
    given = make_inputs(dtype=torch.float64)
    given.teacher = WordHead(given.teacher.hidden * 0.3, given.teacher.weight, given.teacher.bias)
    found = ours("jensen-shannon", beta=beta)(given) / min(beta, 1 - beta)
    torch.testing.assert_close(found, ours(limit)(given), rtol=0.03, atol=1e-6)


def test_all_words_as_top_words_are_the_whole_divergence_and_fewer_never_more() -> None:
    given = make_inputs()
    whole = ours("forward", tau=2.0)(given)
    torch.testing.assert_close(ours("top", tau=2.0, k=WORDS)(given), whole, rtol=1e-5, atol=1e-6)
    before = torch.zeros(5)
    for k in (1, 4, 12, WORDS - 1):
        losses = ours("top", tau=2.0, k=k)(given)
        assert (losses >= before * (1 - 1e-5)).all()
        assert (losses <= whole * (1 + 1e-5)).all()
        before = losses


def test_top_words_hold_the_likeliest_and_the_rest() -> None:
    given = make_inputs()
    top: TopWords = top_words(given.teacher, given.counted, 3, 2.0, budget=TWO_TOKENS)
    shares = torch.softmax(given.teacher.logits() / 2.0, dim=-1)[given.counted]
    kept = top.log_probabilities[given.counted].exp()
    torch.testing.assert_close(kept, shares.topk(3, dim=-1).values)
    assert torch.equal(top.words[given.counted], shares.topk(3, dim=-1).indices)
    torch.testing.assert_close(kept.sum(-1) + top.rest[given.counted], torch.ones(len(kept)))


def test_differentiating_twice_is_refused() -> None:
    given = make_inputs()
    (gradient,) = torch.autograd.grad(ours("forward")(given).square().mean(), given.hidden, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()  # type: ignore[no-untyped-call]


def test_weights_that_change_before_the_backward_pass_are_an_error() -> None:
    given = make_inputs()
    losses = ours("forward")(given)
    with torch.no_grad():
        given.weight.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        losses.mean().backward()  # type: ignore[no-untyped-call]


def test_senseless_settings_are_refused() -> None:
    given = make_inputs()
    with pytest.raises(ValueError, match="beta is 1.0; expected a number between 0 and 1"):
        ours("jensen-shannon", beta=1.0)(given)
    with pytest.raises(ValueError, match="k is 24; expected 1 to the 23 words there are"):
        top_words(given.teacher, given.counted, 24)
