import pytest
import torch

from slimlit.losses import AttentionRelations, HardLabels, HiddenStates, Loss, SoftTargets, WeightedSum
from slimlit.types import Batch, Needs, Output

from .inputs import Config, Network, make_batch, make_output


class Forbidden(Loss):
    """Must not be called."""

    student_needs: Needs = frozenset({"hidden_states.9"})
    teacher_needs: Needs = frozenset({"queries.9"})

    def prepare(self, student: object, teacher: object) -> None:
        raise AssertionError("prepared")

    def forward(self, student: Output, teacher: Output | None, batch: Batch) -> torch.Tensor:
        raise AssertionError("called")


def test_the_sum_is_weighted_and_its_parts_are_not() -> None:
    batch = make_batch([3, 2])
    student, teacher = make_output(batch, 1), make_output(batch, 2)
    hard, soft = HardLabels(), SoftTargets(3.0)
    loss = WeightedSum({"hard": hard, "soft": soft}, {"soft": 0.25})
    expected = [
        float(h.double() + 0.25 * s.double())
        for h, s in zip(hard(student, None, batch), soft(student, teacher, batch), strict=True)
    ]
    torch.testing.assert_close(loss(student, teacher, batch).tolist(), expected, rtol=1e-6, atol=1e-6)
    parts = loss.parts(student, teacher, batch)
    assert list(parts) == ["hard", "soft"]
    assert torch.equal(parts["soft"], soft(student, teacher, batch))


def test_a_part_of_weight_0_is_never_called_and_needs_nothing() -> None:
    batch = make_batch([3, 2])
    student = make_output(batch, 1)
    loss = WeightedSum({"hard": HardLabels(), "other": Forbidden()}, {"other": 0.0})
    loss.prepare(Network(Config(6, 2)), None)
    assert torch.equal(loss(student, None, batch), HardLabels()(student, None, batch))
    assert loss.student_needs == frozenset()
    assert loss.teacher_needs == frozenset()
    assert not list(loss.parameters())


def test_needs_are_those_of_all_parts() -> None:
    loss = WeightedSum({"a": HiddenStates([(1, 2)]), "b": AttentionRelations(3, 6), "c": SoftTargets()})
    assert loss.student_needs == {"hidden_states.1", "queries.3", "keys.3", "values.3"}
    assert loss.teacher_needs == {"hidden_states.2", "queries.6", "keys.6", "values.6", "logits"}


def test_a_weight_for_no_part_names_the_nearest() -> None:
    with pytest.raises(
        ValueError, match="weight for 'sotf' and no such loss\ndid you mean 'soft'\\? losses: hard, soft"
    ):
        WeightedSum({"hard": HardLabels(), "soft": SoftTargets()}, {"sotf": 1.0})


def test_nothing_to_minimise_is_refused() -> None:
    with pytest.raises(ValueError, match="WeightedSum got no losses"):
        WeightedSum({})
    with pytest.raises(ValueError, match="every weight of WeightedSum is 0"):
        WeightedSum({"hard": HardLabels()}, {"hard": 0.0})


@pytest.mark.parametrize("name", ["values", "type", "1"])
def test_a_part_may_have_any_plain_name(name: str) -> None:
    batch = make_batch([3, 2])
    loss = WeightedSum({name: HardLabels()})
    assert list(loss.parts(make_output(batch, 1), None, batch)) == [name]
