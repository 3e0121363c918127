"""Losses over a vocabulary under the engine: clipped sums are those of single backward passes, and no logits are held."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from slimlit.losses import Loss, TopTargets, VocabularyLabels, VocabularyTargets, WeightedSum
from slimlit.models import read
from slimlit.privacy import contributions
from slimlit.privacy.engine import ClippedGradients
from slimlit.privacy.probe import check_examples_are_apart
from slimlit.privacy.word_products import WordProducts
from slimlit.types import Batch, WordHead
from slimlit.vocabulary import top_k_divergence, top_words, vocabulary_cross_entropy, vocabulary_divergence

from .networks import WORDS, make, make_batch, pick, trained
from .test_engine import brute_force, by_engine, clipped_sum, compare, distance, norm

BUDGET = 61 * 4 * 12 / 2**20  # MiB: two examples a block or so


class Speaker(nn.Module):
    """A language model in small, its output tied to its table or not; and a wider teacher's states."""

    def __init__(self, tied: bool, words: int = WORDS) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.table = nn.Embedding(WORDS, 8)
        self.middle = nn.Linear(8, 8)
        self.out = nn.Linear(8, words, bias=not tied)
        if tied:
            self.out.weight = self.table.weight
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.5)
        self.register_buffer("theirs", torch.randn(WORDS, 12))
        self.register_buffer("their_words", torch.randn(words, 12))

    def hidden(self, batch: Batch) -> Tensor:
        states: Tensor = torch.tanh(self.middle(self.table(batch["input_ids"])))
        return states + states.cumsum(1) / 4

    def teacher(self, batch: Batch) -> WordHead:
        return WordHead(functional.embedding(batch["input_ids"], self.theirs), self.their_words)

    def head(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.hidden(batch), self.out.weight, self.out.bias


def asked(batch: Batch) -> Tensor:
    return (batch["attention_mask"] == 1) & (batch["input_ids"] % 3 != 0)


def labels_of(batch: Batch) -> Tensor:
    return batch["input_ids"].flip(1).masked_fill(~asked(batch), -100)


def by_labels(model: Speaker, batch: Batch) -> Tensor:
    return vocabulary_cross_entropy(*model.head(batch), labels_of(batch), 0.1, budget=BUDGET)


def by_divergence(name: Any) -> Callable[[Speaker, Batch], Tensor]:
    return lambda model, batch: vocabulary_divergence(
        *model.head(batch), model.teacher(batch), asked(batch), 2.0, name, 0.3, budget=BUDGET
    )


def by_top(model: Speaker, batch: Batch) -> Tensor:
    top = top_words(model.teacher(batch), asked(batch), 5, 2.0)
    return top_k_divergence(*model.head(batch), top, asked(batch), 2.0, budget=BUDGET)


def by_mixture(model: Speaker, batch: Batch) -> Tensor:
    return vocabulary_divergence(
        *model.head(batch),
        model.teacher(batch),
        asked(batch),
        2.0,
        budget=BUDGET,
        labels=labels_of(batch),
        label_share=0.3,
    )


def by_two(model: Speaker, batch: Batch) -> Tensor:
    return 0.3 * by_labels(model, batch) + 0.7 * by_divergence("forward")(model, batch)


def beside_a_product(model: Speaker, batch: Batch) -> Tensor:
    return by_labels(model, batch) + functional.linear(model.hidden(batch), model.out.weight).square().mean((1, 2))


KINDS: dict[str, Callable[[Speaker, Batch], Tensor]] = {
    "labels": by_labels,
    **{name: by_divergence(name) for name in ("forward", "reverse", "jensen-shannon")},
    "top": by_top,
    "mixture": by_mixture,
    "two": by_two,
    "beside a product": beside_a_product,
}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_clipped_sum_is_that_of_single_backward_passes(kind: str, tied: bool) -> None:
    model = Speaker(tied)
    compare(lambda batch: KINDS[kind](model, batch), trained(model), make_batch())


@pytest.mark.parametrize("tied", [True, False])
def test_words_beyond_those_there_are_add_nothing(tied: bool) -> None:
    model = Speaker(tied)

    def losses(batch: Batch) -> Tensor:
        teacher = model.teacher(batch)
        return vocabulary_divergence(*model.head(batch), teacher, asked(batch), num_words=WORDS - 9, budget=BUDGET)

    compare(losses, trained(model), make_batch())


@pytest.mark.parametrize("tied", [True, False])
def test_slopes_are_held_for_no_more_examples_than_a_block(tied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: WordProducts) -> Any:
        raise AssertionError("made whole")

    monkeypatch.setattr(WordProducts, "held", refuse)
    model = Speaker(tied)
    found = by_engine(ClippedGradients(trained(model), 1.0), lambda b: by_divergence("forward")(model, b), make_batch())
    assert norm(found) > 0
    model.requires_grad_(True)
    assert norm(by_engine(ClippedGradients(trained(model), 1.0), lambda b: by_mixture(model, b), make_batch())) > 0
    model.requires_grad_(True)
    with pytest.raises(AssertionError, match="made whole"):
        by_engine(ClippedGradients(trained(model), 1.0), lambda b: by_two(model, b), make_batch())


def test_a_head_alone_may_be_trained() -> None:
    model = Speaker(False)
    model.table.requires_grad_(False)
    model.middle.requires_grad_(False)
    compare(lambda batch: by_divergence("forward")(model, batch), trained(model), make_batch())
    model.out.bias.requires_grad_()
    compare(lambda batch: by_divergence("forward")(model, batch), {"bias": model.out.bias}, make_batch())


def test_a_body_under_a_frozen_head_may_be_trained() -> None:
    model = Speaker(False)
    model.out.requires_grad_(False)
    compare(lambda batch: by_divergence("forward")(model, batch), trained(model), make_batch())


def test_norms_hold_where_rows_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("contributions", "word_products"):
        monkeypatch.setattr(f"slimlit.privacy.{module}.CANCELS", 0.0)
    assert contributions.CANCELS == 0.0
    model = Speaker(True)
    compare(lambda batch: by_divergence("forward")(model, batch), trained(model), make_batch())


@pytest.mark.parametrize("tied", [True, False])
def test_units_of_several_examples_are_clipped_together(tied: bool) -> None:
    model, batch = Speaker(tied), make_batch()
    units = torch.tensor([2, 0, 1, 0, 2, 2, 3])
    singles = brute_force(lambda b: by_labels(model, b), trained(model), batch)
    groups = [
        {key: sum((singles[row][key] for row in range(7) if units[row] == unit), torch.zeros(())) for key in singles[0]}
        for unit in range(4)
    ]
    bound = sorted(map(norm, groups))[1]
    engine = ClippedGradients(trained(model), bound)
    with engine.recording(batch, 7):
        losses = by_labels(model, batch)
    engine.watch(losses).sum().backward()
    engine.clip(units)
    assert distance(engine.take(), clipped_sum(groups, bound)) < 1e-5


@pytest.mark.parametrize("tied", [True, False])
def test_rows_of_weight_zero_and_rows_that_are_not_finite_add_nothing(tied: bool) -> None:
    model, batch = Speaker(tied), make_batch()
    engine = ClippedGradients(trained(model), 0.1)
    loss = by_divergence("forward")
    wanted = by_engine(engine, lambda b: loss(model, b), pick(batch, slice(0, 5)))
    with engine.recording(batch, 7):
        losses = loss(model, batch)
    engine.watch(losses, torch.tensor([1.0, 1, 1, 1, 1, 0, 0])).sum().backward()
    engine.clip()
    assert distance(engine.take(), wanted) < 1e-5
    broken = torch.tensor([1.0, 1, 1, 1, 1, torch.nan, torch.inf])
    assert distance(by_engine(engine, lambda b: loss(model, b) * broken, batch), wanted) < 1e-5
    assert engine.num_dropped == 2

    def poisoned(b: Batch) -> Tensor:
        rows = torch.ones(7).index_fill(0, torch.tensor([5, 6]), torch.nan)
        hidden, *words = model.head(b)
        return vocabulary_cross_entropy(hidden * rows[:, None, None], *words, labels_of(b), 0.1, budget=BUDGET)

    wanted = by_engine(engine, lambda b: by_labels(model, b), pick(batch, slice(0, 5)))
    assert distance(by_engine(engine, poisoned, batch), wanted) < 1e-5
    assert engine.num_dropped == 4


def test_an_example_without_labels_adds_nothing() -> None:
    model, batch = Speaker(True), make_batch()
    engine = ClippedGradients(trained(model), 1.0)

    def losses(b: Batch, silent: int) -> Tensor:
        labels = labels_of(b)
        labels[silent:] = -100
        return vocabulary_cross_entropy(*model.head(b), labels, budget=BUDGET)

    wanted = by_engine(engine, lambda b: losses(b, 5), pick(batch, slice(0, 5)))
    assert distance(by_engine(engine, lambda b: losses(b, 5), batch), wanted) < 1e-5
    assert norm(by_engine(engine, lambda b: losses(b, 0), batch)) == 0.0


@pytest.mark.parametrize("tied", [True, False])
def test_bounds_hold_in_float32_under_bf16_autocast(tied: bool) -> None:
    model, batch = Speaker(tied), make_batch()

    def losses(rows: Batch) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return by_divergence("forward")(model, rows)

    engine = ClippedGradients(trained(model), 1e-3)
    for row in range(7):
        assert norm(by_engine(engine, losses, pick(batch, slice(row, row + 1)))) <= 1e-3 * (1 + 1e-5)
    together = by_engine(engine, losses, batch)
    assert all(part.dtype == torch.float32 for part in together.values())
    model.requires_grad_(True)
    exact = by_engine(ClippedGradients(trained(model), 1e-3), lambda b: by_divergence("forward")(model, b), batch)
    assert distance(together, exact) < 0.05


def test_the_probe_sees_every_parameter() -> None:
    model, batch = Speaker(True), make_batch()
    engine = ClippedGradients(trained(model), 1.0)
    check_examples_are_apart(engine, lambda b: by_divergence("forward")(model, b), [model], batch)


@pytest.mark.parametrize("name", ["bert, tied language model", "bert, untied language model", "gpt2, tied"])
@pytest.mark.parametrize("kind", ["labels", "targets", "top", "sum"])
def test_language_models_are_clipped_through_every_loss_over_words(name: str, kind: str) -> None:
    parts: dict[str, Loss] = {
        "labels": VocabularyLabels(0.1),
        "targets": VocabularyTargets(2.0, "reverse"),
        "top": TopTargets(7),
    }
    loss = WeightedSum(parts, {"targets": 0.5}) if kind == "sum" else parts[kind]
    network, guide = make(name), make(name, seed=1).eval().requires_grad_(False)

    def losses(batch: Batch) -> Tensor:
        with torch.no_grad():
            teacher = read(guide, batch, loss.teacher_needs)  # type: ignore[arg-type]
        return loss(read(network, batch, loss.student_needs), teacher, batch)  # type: ignore[arg-type, no-any-return]

    batch = make_batch()
    batch["labels"] = labels_of(batch)
    compare(losses, trained(network), batch)
