"""The probe: checks by experiment that no example's gradient depends on its neighbours, that no parameter goes unseen and no buffer moves."""

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

    Random zeroing is off meanwhile, and buffers are put back. What the engine sums without clipping is also compared,
    parameter by parameter, with what autograd makes of the same loss.

    Guarantees:
        - the examples are drawn at random from the batch's real rows;
        - random numbers after it, the processor's and the device's, are those there would be without it;
        - a buffer that a forward pass moves is put back and named.

    Args:
        engine: with the parameters that are trained; its sums are left as they were.
        losses_of: one number an example, from a batch.
        modules: networks and losses.
        batch: first dimension the example; rows with an ``example_id`` below zero are left out.

    Raises:
        ValueError: gradients differ, or a buffer moved: the message says which example, parameters or buffers.
    """
    device = batch["example_id"].device
    probe = ClippedGradients(engine.parameters, 1e30)
    with (
        _same_random_numbers_after(device),
        _without_dropout(modules),
        torch.autocast(device.type, enabled=False),
        _still_buffers(modules) as settle,
    ):
        real = (batch["example_id"] >= 0).nonzero().flatten().cpu()
        real = real[torch.randperm(len(real))[:_MOST]]
        beside = _take(batch, real)
        norms, losses = _norms(probe, losses_of, beside)
        settle()
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


@contextmanager
def _same_random_numbers_after(device: torch.device) -> Iterator[None]:
    """Put back the state of the random numbers of the processor and of a device."""
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            yield
    else:
        with torch.random.fork_rng(devices=[device], device_type=device.type):
            yield


@contextmanager
def _still_buffers(modules: Sequence[nn.Module]) -> Iterator[Callable[[], None]]:
    """Put back the buffers that moved, and name them; gives what to call after the first forward pass.

    A buffer that is made or gets another shape in the first pass is one that is kept to save time, such as a mask, where
    later passes over other examples leave it alone.

    Raises:
        ValueError: a buffer moved.
    """
    before = _buffers(modules)
    settled: dict[tuple[nn.Module, str], tuple[Tensor, Tensor]] = {}

    def settle() -> None:
        for place, (now, copy) in _buffers(modules).items():
            if place not in before or before[place][1].shape != now.shape:
                settled[place] = now, copy

    try:
        yield settle
    finally:
        moved = []
        for place, (now, _) in _buffers(modules).items():
            kept = settled.get(place) or before.get(place)
            if kept is None or _is_equal(now, kept[1]):
                continue
            module, name = place
            moved.append(f"{name} of {type(module).__name__}")
            first, copy = before.get(place, kept)
            with torch.no_grad():
                module._buffers[name] = first.copy_(copy) if first.shape == copy.shape else copy
        if moved:
            raise ValueError(
                f"a forward pass moves the buffer {', '.join(moved[:3])}: statistics of private texts would be published without noise\n"
                "turn them off (track_running_stats=False), or use a network that keeps none, such as one with LayerNorm"
            )


def _buffers(modules: Sequence[nn.Module]) -> dict[tuple[nn.Module, str], tuple[Tensor, Tensor]]:
    """Every buffer, by its module and name, and a copy of it."""
    return {
        (module, name): (buffer, buffer.detach().clone())
        for whole in modules
        for module in whole.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    }


def _is_equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same, not-a-numbers included."""
    return one.shape == other.shape and bool(((one == other) | ((one != one) & (other != other))).all())
