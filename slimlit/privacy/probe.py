"""The probe: checks by experiment that no example's gradient depends on its neighbours, and that no parameter goes unseen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from slimlit.privacy.engine import ClippedGradients

_MOST = 8  # examples in the experiment
_CLOSE = 1e-3  # share of a norm that float32 may cost


def check_examples_are_apart(
    engine: ClippedGradients,
    losses_of: Callable[[Any], Tensor],
    modules: Sequence[nn.Module],
    batch: Mapping[str, Any],
) -> None:
    """Compare each example's gradient beside its neighbours with the one it has beside a copy of another.

    Random zeroing is off meanwhile and the generator's state is put back. What the engine sums without clipping is also
    compared, parameter by parameter, with what autograd makes of the same loss.

    Args:
        engine: with the parameters that are trained; its sums are left as they were.
        losses_of: one number an example, from a batch.
        modules: networks and losses.
        batch: first dimension the example; rows with an ``example_id`` below zero are left out.

    Raises:
        ValueError: gradients differ: the message says which example or which parameters.
    """
    real = (batch["example_id"] >= 0).nonzero().flatten()[:_MOST]
    beside = _take(batch, real)
    state = torch.get_rng_state()
    probe = ClippedGradients(engine.parameters, 1e30)
    try:
        with _without_dropout(modules), torch.autocast(batch["example_id"].device.type, enabled=False):
            norms, losses = _norms(probe, losses_of, beside)
            sums = probe.take()
            for row in range(min(len(real), 3)):
                alone, loss = _norms(probe, losses_of, _take(batch, real[[row, row]]))
                probe.take()
                if not (_close(alone[0], norms[row]) and _close(loss[0], losses[row])):
                    raise ValueError(
                        f"an example's gradient has the norm {float(norms[row]):.6g} beside its neighbours and {float(alone[0]):.6g} beside itself\n"
                        "something ties the examples of a batch together: BatchNorm, a loss divided by the batch's tokens, or the like"
                    )
            unseen = _unseen(engine, losses_of, beside, sums)
    finally:
        torch.set_rng_state(state)
    if unseen:
        raise ValueError(
            f"the gradient of {', '.join(unseen[:3])} cannot be clipped: {len(unseen)} parameters are used where no call of torch shows it\n"
            "freeze them, or write that part of the network with torch's own functions"
        )


def _norms(engine: ClippedGradients, losses_of: Callable[[Any], Tensor], batch: Any) -> tuple[Tensor, Tensor]:
    with engine.recording(batch, len(batch["example_id"])):
        losses = losses_of(batch)
    if losses.shape != batch["example_id"].shape:
        raise ValueError(
            f"the loss has the shape {tuple(losses.shape)} for {len(batch['example_id'])} examples; expected one number an example\n"
            "a loss that averages over the batch or over its tokens ties examples together: reduce each alone"
        )
    engine.norms = None
    engine.watch(losses).sum().backward()  # type: ignore[no-untyped-call]
    engine.clip()
    norms = torch.zeros(len(losses)) if engine.norms is None else engine.norms
    return norms, losses.detach()


def _unseen(
    engine: ClippedGradients, losses_of: Callable[[Any], Tensor], batch: Any, sums: Mapping[str, Tensor]
) -> list[str]:
    """Parameters whose gradient by autograd is not what the engine made."""
    parameters = engine.parameters
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    try:
        total = losses_of(batch).sum()
        gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    finally:
        for parameter in parameters.values():
            parameter.requires_grad_(False)
    scale = max(float(torch.linalg.vector_norm(found)) for found in sums.values()) or 1.0
    return [
        name
        for name, gradient in zip(parameters, gradients, strict=True)
        if gradient is not None
        and float(torch.linalg.vector_norm(gradient - sums[name]))
        > _CLOSE * max(float(torch.linalg.vector_norm(gradient)), 1e-3 * scale)
    ]


def _close(one: Tensor, other: Tensor) -> bool:
    return bool(torch.isclose(one, other, rtol=_CLOSE, atol=1e-6)) or not bool(torch.isfinite(one + other))


def _take(tree: Any, rows: Tensor) -> Any:
    if isinstance(tree, Tensor):
        return tree.index_select(0, rows.to(tree.device))
    if isinstance(tree, Mapping):
        return {name: _take(part, rows) for name, part in tree.items()}
    if hasattr(tree, "__dataclass_fields__"):
        return type(tree)(**{name: _take(getattr(tree, name), rows) for name in tree.__dataclass_fields__})
    return tree


@contextmanager
def _without_dropout(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Set every probability of dropping something to zero: modules of dropout, and numbers named so."""
    before: list[tuple[Any, str, float]] = []
    for whole in modules:
        for module in whole.modules():
            for name, value in list(vars(module).items()):
                is_dropout = isinstance(module, nn.modules.dropout._DropoutNd) and name == "p"
                if isinstance(value, float) and (is_dropout or "drop" in name):
                    before.append((module, name, value))
                    setattr(module, name, 0.0)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
