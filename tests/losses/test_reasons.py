"""Losses that distil reasons: where the pooling looks, and what each token adds to a logit."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import BertConfig

from slimlit.losses import Loss, PoolingWeights, TokenShares
from slimlit.models import SequenceClassifier, SequenceClassifierConfig, read
from slimlit.models.pooling import Pooling
from slimlit.models.shares import token_shares
from slimlit.types import Batch, Output

from .inputs import Network, make_batch, make_output

LENGTHS = [4, 1, 3]
SMALL = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}


def config(pooling: Pooling = "attention", heads: int = 1, width: int = 8) -> SequenceClassifierConfig:
    encoder = BertConfig(**{**SMALL, "hidden_size": width})
    return SequenceClassifierConfig(encoder=encoder, pooling=pooling, num_pooling_heads=heads, num_labels=3)


def network(pooling: Pooling = "attention", heads: int = 1, width: int = 8) -> SequenceClassifier:
    torch.manual_seed(width)
    made = SequenceClassifier(config(pooling, heads, width))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def weights_of(rows: list[list[float]]) -> Output:
    return Output(torch.zeros(len(rows), 3), pooling_weights=torch.tensor(rows).unsqueeze(1))


def test_the_divergence_of_pooling_weights_by_hand() -> None:
    batch = make_batch([3, 2])
    theirs = weights_of([[0.5, 0.25, 0.25], [0.9, 0.1, 0.0]])
    ours = weights_of([[0.25, 0.5, 0.25], [0.5, 0.5, 0.0]])
    by_hand = [0.5 * math.log(2) + 0.25 * math.log(0.5), 0.9 * math.log(1.8) + 0.1 * math.log(0.2)]
    torch.testing.assert_close(PoolingWeights()(ours, theirs, batch), torch.tensor(by_hand))
    assert torch.equal(PoolingWeights()(ours, ours, batch), torch.zeros(2))


def test_a_token_hidden_from_both_poolings_counts_nothing() -> None:
    batch = make_batch([3])
    value = PoolingWeights()(weights_of([[0.5, 0.0, 0.5]]), weights_of([[0.25, 0.0, 0.75]]), batch)
    torch.testing.assert_close(value, torch.tensor([0.25 * math.log(0.5) + 0.75 * math.log(1.5)]))


def test_the_distance_of_shares_by_hand() -> None:
    batch = make_batch([2])
    theirs = Output(torch.zeros(1, 2), shares=torch.tensor([[[1.0, -1.0], [3.0, 1.0]]]))
    ours = Output(torch.zeros(1, 2), shares=torch.tensor([[[0.0, 0.0], [0.0, 0.0]]]))
    # less the mean over classes the teacher's are 1, -1 at both tokens: 2 tokens * (1 + 1 + 1 + 1) / 2 classes
    torch.testing.assert_close(TokenShares()(ours, theirs, batch), torch.tensor([4.0]))


def test_adding_one_number_to_all_classes_of_a_token_changes_nothing() -> None:
    batch = make_batch(LENGTHS)
    student, teacher = make_output(batch, 1), make_output(batch, 2)
    assert student.shares is not None
    moved = replace(student, shares=student.shares + torch.randn(3, 4, 1))
    torch.testing.assert_close(TokenShares()(moved, teacher, batch), TokenShares()(student, teacher, batch))


def test_the_distance_of_shares_is_never_less_than_that_of_the_logits_without_biases() -> None:
    batch = make_batch(LENGTHS)
    for seed in range(20):
        student, teacher = make_output(batch, seed), make_output(batch, 100 + seed)
        real = batch["attention_mask"].unsqueeze(-1)
        assert student.shares is not None
        assert teacher.shares is not None
        apart = ((student.shares - teacher.shares) * real).sum(dim=1)
        logits = (apart - apart.mean(dim=-1, keepdim=True)).square().mean(dim=-1)
        assert (TokenShares()(student, teacher, batch) >= logits * (1 - 1e-6)).all()


@pytest.mark.parametrize(("pooling", "heads"), [("attention", 1), ("attention", 3), ("mean", 1), ("cls", 1)])
def test_shares_sum_to_the_logits_less_the_bias(pooling: Pooling, heads: int) -> None:
    made, batch = network(pooling, heads), make_batch(LENGTHS)
    output = read(made, batch, frozenset({"shares"}))
    assert output.shares is not None
    torch.testing.assert_close(output.shares.sum(dim=1) + made.classifier.bias, output.logits)
    assert torch.equal(output.shares[1, 1:], torch.zeros(3, 3))
    assert torch.equal(output.logits, read(made, batch).logits)


def test_the_hidden_state_of_a_token_without_weight_is_never_read() -> None:
    states = torch.full((1, 2, 4), float("nan"))
    states[0, 0] = 1.0
    shares = token_shares(states, torch.tensor([[[1.0, 0.0]]]), torch.ones(3, 4))
    assert torch.equal(shares, torch.tensor([[[4.0] * 3, [0.0] * 3]]))


def test_teachers_of_another_width_and_pooling_teach_shares_to_every_weight_of_the_student() -> None:
    student, teacher, batch = network("attention", 2).train(), network("mean", width=12), make_batch(LENGTHS)
    loss = TokenShares()
    loss.prepare(student, teacher)
    with torch.no_grad():
        says = read(teacher, batch, loss.teacher_needs)
    loss(read(student, batch, loss.student_needs), says, batch).sum().backward()
    reached: list[Tensor | None] = [student.pooling.energy.weight.grad, student.classifier.weight.grad]  # type: ignore[union-attr]
    assert all(gradient is not None and gradient.any() for gradient in reached)


@pytest.mark.parametrize(
    ("student", "teacher", "says"),
    [
        (
            config(),
            config("mean"),
            r"the teacher pools by 'mean'\ntrain it with pooling: attention, or use TokenShares",
        ),
        (config("cls"), config(), "the student pools by 'cls'"),
        (config(), BertConfig(**SMALL), "the teacher has no pooling"),
        (
            config(heads=2),
            config(heads=3),
            r"the teacher has 3, the student 2\nset the student's num_pooling_heads to 3",
        ),
    ],
)
def test_poolings_that_cannot_be_compared_are_refused(student: object, teacher: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PoolingWeights().prepare(Network(student), Network(teacher))  # type: ignore[arg-type]


def test_shares_of_a_network_that_is_not_linear_after_its_pooling_are_refused() -> None:
    with pytest.raises(ValueError, match="the teacher is a bert"):
        TokenShares().prepare(Network(config()), Network(BertConfig(**SMALL)))  # type: ignore[arg-type]


@pytest.mark.parametrize("loss", [PoolingWeights(), TokenShares()])
def test_reasons_are_as_many_numbers_as_examples(loss: Loss) -> None:
    batch: Batch = make_batch(LENGTHS)
    assert loss(make_output(batch, 1), make_output(batch, 2), batch).shape == (3,)
