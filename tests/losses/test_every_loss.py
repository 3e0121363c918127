from dataclasses import replace

import jsonargparse
import pytest
import torch
from torch import Tensor
from transformers import BertConfig

from slimlit.losses import (
    AttentionRelations,
    HardLabels,
    HiddenStates,
    Loss,
    PoolingWeights,
    SoftTargets,
    TokenShares,
    WeightedSum,
)
from slimlit.models import SequenceClassifierConfig
from slimlit.types import Batch, Output

from .inputs import Network, change, make_batch, make_output

LENGTHS = [4, 1, 3]


def every_loss() -> dict[str, Loss]:
    """One of each kind, prepared for a student of 2 heads x 3 and a teacher of 3 heads x 4."""
    losses = {
        "hard": HardLabels(0.1),
        "soft": SoftTargets(2.0),
        "hidden": HiddenStates([(1, 2), (2, 0)]),
        "relations": AttentionRelations(2, 1, relation_heads=6, weights=(1.0, 0.5, 2.0)),
        "pooling": PoolingWeights(),
        "shares": TokenShares(),
    }
    losses["sum"] = WeightedSum(dict(losses), {"soft": 0.5, "relations": 3.0})
    torch.manual_seed(0)
    for loss in losses.values():
        loss.prepare(Network(config(6, 2)), Network(config(12, 3)))
    return losses


def config(width: int, heads: int) -> SequenceClassifierConfig:
    encoder = BertConfig(hidden_size=width, num_attention_heads=heads, num_hidden_layers=2)
    return SequenceClassifierConfig(encoder=encoder, num_pooling_heads=2)


KINDS = tuple(every_loss())


@pytest.fixture(params=KINDS)
def loss(request: pytest.FixtureRequest) -> Loss:
    return every_loss()[request.param]


def inputs(lengths: list[int] = LENGTHS) -> tuple[Output, Output, Batch]:
    batch = make_batch(lengths)
    return make_output(batch, 1, heads=2, head_width=3), make_output(batch, 2, heads=3, head_width=4), batch


def pick(output: Output, rows: slice) -> Output:
    def chosen(part: dict[int, Tensor]) -> dict[int, Tensor]:
        return {layer: tensor[rows] for layer, tensor in part.items()}

    parts = [chosen(dict(part)) for part in (output.hidden_states, output.queries, output.keys, output.values)]
    weights, shares = output.pooling_weights, output.shares
    assert weights is not None
    assert shares is not None
    return Output(output.logits[rows], *parts, pooling_weights=weights[rows], shares=shares[rows])


def leaves(output: Output) -> list[Tensor]:
    parts = (output.hidden_states, output.queries, output.keys, output.values)
    tensors = [output.logits, *(tensor for part in parts for tensor in part.values())]
    tensors += [one for one in (output.pooling_weights, output.shares) if one is not None]
    return [tensor.requires_grad_() for tensor in tensors]


def test_there_is_one_finite_number_per_example(loss: Loss) -> None:
    value = loss(*inputs())
    assert value.shape == (len(LENGTHS),)
    assert value.dtype == torch.float32
    assert value.isfinite().all()


def test_parts_combine_to_the_loss(loss: Loss) -> None:
    student, teacher, batch = inputs()
    torch.testing.assert_close(loss.combine(loss.parts(student, teacher, batch)), loss(student, teacher, batch))


def test_more_padding_changes_nothing(loss: Loss) -> None:
    student, teacher, batch = inputs()

    def pad(tensor: Tensor, tokens: int) -> Tensor:
        return torch.cat([tensor, torch.randn_like(tensor)], dim=tokens)

    wider = make_batch(LENGTHS, tokens=2 * max(LENGTHS))
    torch.testing.assert_close(loss(change(student, pad), change(teacher, pad), wider), loss(student, teacher, batch))


def test_padded_tokens_are_never_read(loss: Loss) -> None:
    student, teacher, batch = inputs()
    padding = batch["attention_mask"] == 0

    def poison(tensor: Tensor, tokens: int) -> Tensor:
        where = padding[:, None, :, None] if tokens == 2 else padding[:, :, None]
        where = where[..., 0] if tensor.dim() < where.dim() else where
        return tensor.masked_fill(where, float("nan")).detach()

    poisoned = change(student, poison), change(teacher, poison)
    value = loss(*poisoned, batch)
    torch.testing.assert_close(value, loss(student, teacher, batch))
    given = leaves(poisoned[0])
    gradients = torch.autograd.grad(loss(*poisoned, batch).sum(), [*given, *loss.parameters()], allow_unused=True)
    for gradient in gradients:
        assert gradient is None or gradient.isfinite().all()


def test_neighbours_do_not_change_an_examples_loss(loss: Loss) -> None:
    student, teacher, batch = inputs()
    alone = Batch(**{name: tensor[:1] for name, tensor in batch.items()})  # type: ignore[typeddict-item, index]
    value = loss(pick(student, slice(0, 1)), pick(teacher, slice(0, 1)), alone)
    torch.testing.assert_close(value, loss(student, teacher, batch)[:1], rtol=1e-6, atol=1e-6)


def test_an_examples_loss_has_no_gradient_at_its_neighbours(loss: Loss) -> None:
    student, teacher, batch = inputs()
    given = leaves(student)
    gradients = torch.autograd.grad(loss(student, teacher, batch)[0], given, allow_unused=True)
    reached = [gradient for gradient in gradients if gradient is not None]
    assert reached
    for gradient in reached:
        assert gradient[0].any()
        assert torch.equal(gradient[1:], torch.zeros_like(gradient[1:]))


def test_the_teacher_gets_what_it_is_asked_for_and_nothing_more(loss: Loss) -> None:
    student, teacher, batch = inputs()

    def needed(output: Output, needs: frozenset[str]) -> Output:
        def only(part: str) -> dict[int, Tensor]:
            return {layer: t for layer, t in getattr(output, part).items() if f"{part}.{layer}" in needs}

        return Output(
            output.logits,
            *(only(part) for part in ("hidden_states", "queries", "keys", "values")),
            pooling_weights=output.pooling_weights if "pooling_weights" in needs else None,
            shares=output.shares if "shares" in needs else None,
        )

    asked = needed(student, loss.student_needs), needed(teacher, loss.teacher_needs)
    assert torch.equal(loss(*asked, batch), loss(student, teacher, batch))


def test_sixteen_bit_inputs_are_computed_in_float32(loss: Loss) -> None:
    student, teacher, batch = inputs()

    def rounded(output: Output, dtype: torch.dtype) -> Output:
        small = change(output, lambda tensor, _: tensor.bfloat16().to(dtype))
        return replace(small, logits=output.logits.bfloat16().to(dtype))

    exact = loss(rounded(student, torch.float32), rounded(teacher, torch.float32), batch)
    given = rounded(student, torch.bfloat16), rounded(teacher, torch.bfloat16), batch
    assert torch.equal(loss(*given), exact)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(loss(*given), exact)


@pytest.mark.parametrize("lengths", [[1], [3], [1, 1]])
def test_one_token_and_one_example_are_enough(loss: Loss, lengths: list[int]) -> None:
    assert loss(*inputs(lengths)).isfinite().all()


@pytest.mark.parametrize("name", ["soft", "hidden", "relations", "pooling", "shares"])
def test_a_missing_teacher_is_refused(name: str) -> None:
    student, _, batch = inputs()
    loss = every_loss()[name]
    with pytest.raises(ValueError, match=r"compares with a teacher and there is none\nset model.init_args.teacher"):
        loss(student, None, batch)


@pytest.mark.parametrize("name", ["hidden", "relations", "pooling", "shares", "sum"])
def test_a_missing_teacher_is_refused_before_training(name: str) -> None:
    with pytest.raises(ValueError, match="compares with a teacher and there is none"):
        every_loss()[name].prepare(Network(config(6, 2)), None)


def test_hard_labels_need_no_teacher() -> None:
    student, _, batch = inputs()
    assert HardLabels().teacher_needs == frozenset()
    assert HardLabels()(student, None, batch).shape == (3,)


def test_a_loss_is_named_in_yaml() -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Loss, "loss")
    config = parser.parse_string(
        """
        loss:
          class_path: slimlit.losses.WeightedSum
          init_args:
            losses:
              hard: {class_path: slimlit.losses.HardLabels, init_args: {label_smoothing: 0.1}}
              soft: {class_path: slimlit.losses.SoftTargets, init_args: {temperature: 4.0}}
              near: {class_path: slimlit.losses.HiddenStates, init_args: {pairs: [[1, 2], [2, 4]]}}
              inner:
                class_path: slimlit.losses.WeightedSum
                init_args:
                  losses:
                    relations:
                      class_path: slimlit.losses.AttentionRelations
                      init_args: {student_layer: 2, teacher_layer: 4, relation_heads: 12, weights: [1, 0, 1]}
            weights: {soft: 0.5, near: 0.0}
        """
    )
    loss = parser.instantiate(config).loss
    assert isinstance(loss, WeightedSum)
    assert loss.weights == {"hard": 1.0, "soft": 0.5, "inner": 1.0}
    assert loss.teacher_needs == {"logits", "queries.4", "values.4"}
    assert loss.student_needs == {"queries.2", "values.2"}
