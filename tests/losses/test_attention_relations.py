import math

import pytest
import torch
from torch import Tensor

from slimlit.losses import AttentionRelations
from slimlit.types import Output

from .inputs import Config, Network, change, make_batch, make_output

LENGTHS = [4, 1, 3]


def relation(vectors: Tensor, row: int, head: int, num_heads: int, length: int) -> list[list[float]]:
    """Equations 7 and 8 for one relation head of one example."""
    joined = [  # all heads of a token side by side
        [number for one in vectors[row, :, token].double().tolist() for number in one] for token in range(length)
    ]
    width = len(joined[0]) // num_heads
    split = [token[head * width : (head + 1) * width] for token in joined]
    rows = []
    for first in split:
        scores = [sum(a * b for a, b in zip(first, second, strict=True)) / math.sqrt(width) for second in split]
        shares = [math.exp(score) for score in scores]
        rows.append([share / sum(shares) for share in shares])
    return rows


def by_hand(student: Output, teacher: Output, num_heads: int, weights: tuple[float, float, float]) -> Tensor:
    """Equations 5 and 6, for layer 1 of the student and layer 2 of the teacher."""
    expected = []
    for row, length in enumerate(LENGTHS):
        total = 0.0
        for name, weight in zip(("queries", "keys", "values"), weights, strict=True):
            for head in range(num_heads):
                theirs = relation(getattr(teacher, name)[2], row, head, num_heads, length)
                ours = relation(getattr(student, name)[1], row, head, num_heads, length)
                for p_row, q_row in zip(theirs, ours, strict=True):
                    divergence = sum(p * math.log(p / q) for p, q in zip(p_row, q_row, strict=True))
                    total += weight * divergence / (num_heads * length)
        expected.append(total)
    return torch.tensor(expected, dtype=torch.float64)


@pytest.mark.parametrize(
    ("student_heads", "student_width", "teacher_heads", "teacher_width", "relation_heads"),
    [
        (2, 3, 2, 3, 2),
        (2, 3, 4, 3, 4 - 2),
        (3, 4, 4, 6, 12),  # more than either has
        (3, 4, 4, 6, 6),  # heads that straddle attention heads
        (4, 2, 2, 6, 1),  # all in one
    ],
)
@pytest.mark.parametrize("weights", [(1.0, 1.0, 1.0), (0.5, 0.0, 2.0)])
def test_the_formula_of_the_paper(
    student_heads: int,
    student_width: int,
    teacher_heads: int,
    teacher_width: int,
    relation_heads: int,
    weights: tuple[float, float, float],
) -> None:
    batch = make_batch(LENGTHS)
    student = make_output(batch, 1, student_heads, student_width)
    teacher = make_output(batch, 2, teacher_heads, teacher_width)
    loss = AttentionRelations(1, 2, relation_heads, weights)
    loss.prepare(
        Network(Config(student_heads * student_width, student_heads)),
        Network(Config(teacher_heads * teacher_width, teacher_heads)),
    )
    expected = by_hand(student, teacher, relation_heads, weights)
    torch.testing.assert_close(loss(student, teacher, batch).double(), expected, rtol=1e-5, atol=1e-6)


def test_golden_numbers() -> None:
    """Two tokens on orthogonal axes, one relation head of width 1 each, worked out on paper.

    The teacher's queries are 1 and 0: its scores are [[1, 0], [0, 0]], so its relations are
    [[s, 1 - s], [1/2, 1/2]] with s = e / (e + 1). The student's queries are all 0: its relations are all 1/2.
    The divergence is s ln 2s + (1 - s) ln 2(1 - s) for the first token and 0 for the second; the mean over two
    tokens is 0.055472. Keys: the same with 2 in place of 1 (scores 4), 0.301526. Values agree.
    """
    batch = make_batch([2])

    def output(query: float, key: float) -> Output:
        def vectors(first: float) -> dict[int, Tensor]:
            return {1: torch.tensor([first, 0.0]).reshape(1, 1, 2, 1)}

        return Output(torch.zeros(1, 3), {}, vectors(query), vectors(key), vectors(0.7))

    student, teacher = output(0.0, 0.0), output(1.0, 2.0)
    for weights, expected in (
        ((1.0, 0.0, 0.0), 0.055472),
        ((0.0, 1.0, 0.0), 0.301526),
        ((0.0, 0.0, 1.0), 0.0),
        ((1.0, 1.0, 1.0), 0.356998),
        ((2.0, 0.5, 1.0), 0.261707),
    ):
        value = AttentionRelations(1, 1, 1, weights)(student, teacher, batch)
        assert value.item() == pytest.approx(expected, abs=1e-6)
    # from student to teacher it would be another number: the divergence is not symmetric
    assert AttentionRelations(1, 1, 1, (0.0, 1.0, 0.0))(teacher, student, batch).item() != pytest.approx(
        0.301526, abs=0.01
    )


def test_the_same_relations_lose_nothing() -> None:
    batch = make_batch(LENGTHS)
    output = make_output(batch, 1)
    assert torch.equal(AttentionRelations(1, 1, 3)(output, output, batch), torch.zeros(3))


def test_relations_do_not_hang_on_how_vectors_are_turned() -> None:
    """A relation is a table of inner products, so a rotation of all vectors of a relation head changes nothing."""
    batch = make_batch(LENGTHS)
    student, teacher = make_output(batch, 1, heads=1, head_width=4), make_output(batch, 2, heads=1, head_width=4)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))
    parts = [{1: part[1] @ turn} for part in (student.queries, student.keys, student.values)]
    loss = AttentionRelations(1, 1, 1)
    turned = loss(Output(student.logits, {}, *parts), teacher, batch)
    torch.testing.assert_close(turned, loss(student, teacher, batch))


def test_one_token_resembles_itself_whatever_it_is() -> None:
    batch = make_batch([1])
    assert AttentionRelations(1, 1, 1)(make_output(batch, 1), make_output(batch, 2), batch).item() == 0.0


def test_large_vectors_stay_finite_and_so_do_their_gradients() -> None:
    batch = make_batch(LENGTHS)
    student, teacher = make_output(batch, 1), make_output(batch, 2)
    large = {1: (100 * student.queries[1]).requires_grad_()}
    value = AttentionRelations(1, 1, 2, (1.0, 0.0, 0.0))(Output(student.logits, {}, large), teacher, batch)
    value.sum().backward()
    assert value.isfinite().all()
    assert large[1].grad is not None
    assert large[1].grad.isfinite().all()


def test_relation_heads_are_the_teachers_unless_given() -> None:
    loss = AttentionRelations(1, 1)
    loss.prepare(Network(Config(6, 2)), Network(Config(12, 3)))
    assert loss.relation_heads == 3


def test_a_relation_of_weight_0_is_not_needed() -> None:
    loss = AttentionRelations(1, 2, weights=(0.0, 0.0, 1.0))
    assert loss.student_needs == {"values.1"}
    assert loss.teacher_needs == {"values.2"}


@pytest.mark.parametrize("weights", [(0.0, 0.0, 0.0), (1.0, -1.0, 1.0)])
def test_weights_that_leave_nothing_to_learn_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="expected three numbers of 0 or more, one above 0"):
        AttentionRelations(1, 1, weights=weights)


def test_relation_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(
        ValueError, match="relation_heads 5 does not divide the student's width 6\nexpected one of 1, 2, 3, 6"
    ):
        AttentionRelations(1, 1, relation_heads=5).prepare(Network(Config(6, 2)), Network(Config(10, 2)))
    with pytest.raises(ValueError, match="relation_heads 3 does not divide the teacher's width 10"):
        AttentionRelations(1, 1, relation_heads=3).prepare(Network(Config(6, 2)), Network(Config(10, 2)))
    with pytest.raises(ValueError, match="relation_heads is 0; expected 1 or more"):
        AttentionRelations(1, 1, relation_heads=0)


def test_a_layer_beyond_the_network_is_refused() -> None:
    networks = Network(Config(6, 2, num_hidden_layers=3)), Network(Config(6, 2, num_hidden_layers=6))
    with pytest.raises(ValueError, match="layer 4 of a student of 3 layers\nexpected 1 to 3"):
        AttentionRelations(4, 6).prepare(*networks)
    with pytest.raises(ValueError, match="layer 0 of a teacher of 6 layers\nexpected 1 to 6"):
        AttentionRelations(3, 0).prepare(*networks)


def test_documents_packed_in_a_row_are_compared_as_if_alone() -> None:
    batch, loss = make_batch([6]), AttentionRelations(1, 1, 2)
    student, teacher = make_output(batch, 1), make_output(batch, 2)

    def some(output: Output, places: slice) -> Output:
        return change(output, lambda part, dim: part.movedim(dim, 0)[places].movedim(0, dim))

    parts = [
        loss(some(student, one), some(teacher, one), make_batch([one.stop - one.start]))
        for one in (slice(0, 2), slice(2, 6))
    ]
    expected = (2 * parts[0] + 4 * parts[1]) / 6
    batch["segment_ids"] = torch.tensor([[1, 1, 2, 2, 2, 2]])
    torch.testing.assert_close(loss(student, teacher, batch), expected)
