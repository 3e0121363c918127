"""Each loss beside its formula, written out in loops over float64 numbers."""

import math

import pytest
import torch
from torch import Tensor

from slimlit.losses import HardLabels, HiddenStates, SoftTargets
from slimlit.types import Batch, Output

from .inputs import Config, Network, make_batch, make_output

LENGTHS = [4, 1, 3, 2]


def softmax(values: list[float]) -> list[float]:
    shares = [math.exp(value) for value in values]
    return [share / sum(shares) for share in shares]


@pytest.fixture
def batch() -> Batch:
    return make_batch(LENGTHS)


@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
def test_hard_labels_are_a_cross_entropy(batch: Batch, smoothing: float) -> None:
    student = make_output(batch, 1, classes=4)
    expected = []
    for row in range(len(LENGTHS)):
        total = 0.0
        for number, share in enumerate(softmax(student.logits[row].double().tolist())):
            wanted = (1 - smoothing) * (number == int(batch["labels"][row])) + smoothing / 4
            total -= wanted * math.log(share)
        expected.append(total)
    actual = HardLabels(smoothing)(student, None, batch)
    torch.testing.assert_close(actual.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 7.5])
def test_soft_targets_are_a_divergence_from_the_teacher(batch: Batch, temperature: float) -> None:
    student, teacher = make_output(batch, 1, classes=4), make_output(batch, 2, classes=4)
    expected = []
    for row in range(len(LENGTHS)):
        theirs = softmax([value / temperature for value in teacher.logits[row].double().tolist()])
        ours = softmax([value / temperature for value in student.logits[row].double().tolist()])
        expected.append(temperature**2 * sum(p * math.log(p / q) for p, q in zip(theirs, ours, strict=True)))
    actual = SoftTargets(temperature)(student, teacher, batch)
    torch.testing.assert_close(
        actual.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-6 * temperature**2
    )


def hidden_distance(loss: HiddenStates, student: Output, teacher: Output, project: bool) -> Tensor:
    expected = []
    for row, length in enumerate(LENGTHS):
        total = 0.0
        for number, (ours, theirs) in enumerate(loss.pairs):
            for token in range(length):
                mine = student.hidden_states[ours][row, token].double().tolist()
                if project:
                    weight = loss.projections[number].weight.double().tolist()
                    mine = [sum(w * m for w, m in zip(line, mine, strict=True)) for line in weight]
                other = teacher.hidden_states[theirs][row, token].double().tolist()
                squares = sum((m - o) ** 2 for m, o in zip(mine, other, strict=True))
                total += squares / len(other) / length / len(loss.pairs)
        expected.append(total)
    return torch.tensor(expected, dtype=torch.float64)


def test_hidden_states_are_a_mean_squared_distance(batch: Batch) -> None:
    student, teacher = make_output(batch, 1), make_output(batch, 2)
    loss = HiddenStates([(0, 0), (1, 2)])
    loss.prepare(Network(Config(6, 2)), Network(Config(6, 2)))
    assert not list(loss.parameters())
    torch.testing.assert_close(
        loss(student, teacher, batch).double(), hidden_distance(loss, student, teacher, False), rtol=1e-5, atol=1e-6
    )


def test_hidden_states_of_other_widths_are_projected_one_pair_each(batch: Batch) -> None:
    student, teacher = make_output(batch, 1, head_width=3), make_output(batch, 2, head_width=5)
    loss = HiddenStates([(1, 1), (2, 2)])
    loss.prepare(Network(Config(6, 2)), Network(Config(10, 2)))
    assert [tuple(weight.shape) for weight in loss.parameters()] == [(10, 6), (10, 6)]
    torch.testing.assert_close(
        loss(student, teacher, batch).double(), hidden_distance(loss, student, teacher, True), rtol=1e-5, atol=1e-6
    )
    loss(student, teacher, batch).sum().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in loss.parameters())


@pytest.mark.parametrize("loss", [SoftTargets(3.0), HiddenStates([(1, 1), (2, 2)])])
def test_a_student_that_says_what_the_teacher_says_loses_nothing(batch: Batch, loss: SoftTargets) -> None:
    output = make_output(batch, 1)
    assert torch.equal(loss(output, output, batch), torch.zeros(len(LENGTHS)))


def test_the_size_of_soft_gradients_does_not_hang_on_the_temperature(batch: Batch) -> None:
    sizes = []
    for temperature in (50.0, 500.0):  # where softmax is linear, tau^2 cancels it exactly
        student, teacher = make_output(batch, 1), make_output(batch, 2)
        student.logits.requires_grad_()
        SoftTargets(temperature)(student, teacher, batch).sum().backward()
        assert student.logits.grad is not None
        sizes.append(float(student.logits.grad.norm()))
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_a_layer_beyond_the_network_is_refused() -> None:
    three, six = Network(Config(6, 2, num_hidden_layers=3)), Network(Config(6, 2, num_hidden_layers=6))
    with pytest.raises(ValueError, match="layer 4 of a student of 3 layers\nexpected 0 to 3"):
        HiddenStates([(4, 6)]).prepare(three, six)
    with pytest.raises(ValueError, match="layer 7 of a teacher of 6 layers\nexpected 0 to 6"):
        HiddenStates([(3, 7)]).prepare(three, six)


def test_senseless_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="temperature is 0.0; expected a number above 0"):
        SoftTargets(0.0)
    with pytest.raises(ValueError, match=r"label_smoothing is 1.5; expected 0 to 1"):
        HardLabels(1.5)
    with pytest.raises(ValueError, match="HiddenStates got no pairs"):
        HiddenStates([])
