"""Clipped gradients of single examples from one backward pass, for any network and any loss of one number an example."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from slimlit.privacy.contributions import Contributions, LastGram
from slimlit.privacy.recording import Recording

Clipping = Literal["flat", "per_layer", "automatic"]
_STABLE = 0.01  # gamma of automatic clipping, as its authors use it


class ClippedGradients:
    """Sums of per-example gradients, each clipped to ``max_grad_norm`` before it meets another.

    Autograd is not asked for gradients of the parameters at all (``requires_grad`` is off from now on), so nothing
    outside sees an unclipped one. Use::

        with engine.recording(batch, batch_size):
            losses = loss_of(network(batch))  # one number an example
        engine.watch(losses).mean().backward()  # mean, sum, scaling: all the same
        engine.clip()
        clipped_sums = engine.take()

    Clipping, with ``g`` an example's whole gradient and ``C`` the ``max_grad_norm``:

    - ``flat``: ``g min(1, C / |g|)``;
    - ``per_layer``: each of ``L`` modules' part by ``C / sqrt(L)``;
    - ``automatic``: ``g C / (|g| + 0.01 C)`` (Bu et al. 2023, arXiv:2206.07136; their 0.01 is in units of ``C``).

    In all three no example moves the sum by more than ``C``. Norms and sums are float32 whatever the network computes in.

    Args:
        parameters: the parameters to train, by name; a tied one once.
        max_grad_norm: ``C``.
        clipping: the rule.
    """

    def __init__(self, parameters: Mapping[str, Tensor], max_grad_norm: float, clipping: Clipping = "flat") -> None:
        if not max_grad_norm > 0:
            raise ValueError(f"max_grad_norm is {max_grad_norm}; expected a positive number")
        self.parameters = dict(parameters)
        for parameter in self.parameters.values():
            parameter.requires_grad_(False)
        self.max_grad_norm, self.clipping = max_grad_norm, clipping
        self.sums: dict[str, Tensor] = {}
        self.norms: Tensor | None = None
        self.num_dropped = 0
        self._collected: dict[str, Contributions] = {}
        self._weights: Tensor | None = None

    def groups(self) -> dict[str, list[str]]:
        """Parameters that are clipped together: all, or those of one module."""
        if self.clipping != "per_layer":
            return {"all": list(self.parameters)}
        found: dict[str, list[str]] = {}
        for name in self.parameters:
            found.setdefault(name.rpartition(".")[0], []).append(name)
        return found

    @contextmanager
    def recording(self, batch: Any, batch_size: int) -> Iterator[None]:
        """Watch a forward pass over a batch; every tensor in ``batch`` has the example as its first dimension."""
        grams = LastGram()
        self._collected = {name: Contributions(parameter, grams) for name, parameter in self.parameters.items()}
        by_identity = {id(self.parameters[name]): found for name, found in self._collected.items()}
        names = {id(parameter): name for name, parameter in self.parameters.items()}
        with Recording(by_identity, names, batch, batch_size):
            yield

    def watch(self, losses: Tensor, weights: Float[Tensor, " batch"] | None = None) -> Tensor:
        """The same losses, from which backward starts with a weight of one each whatever is made of them.

        Args:
            losses: one number an example.
            weights: other weights than one, such as zero for rows that fill a batch.
        """
        if losses.dim() != 1:
            raise ValueError(
                f"the loss has the shape {tuple(losses.shape)}; expected one number an example\n"
                "a loss that averages over the batch or over its tokens ties examples together"
            )
        start = torch.ones_like(losses) if weights is None else weights.to(losses.dtype)
        watched = losses * 1.0
        if watched.requires_grad:
            watched.register_hook(lambda _: start)  # type: ignore[no-untyped-call]
        self._weights = start
        return watched

    def clip(self, units: Int[Tensor, " batch"] | None = None) -> None:
        """Clip what the last backward pass caught and add it to the sums.

        Args:
            units: which unit each example belongs to, numbered from 0; the gradients of a unit are added up and clipped
                together. Each example is clipped alone where not given.

        An example whose gradient is not finite adds nothing, and is counted in ``num_dropped``.
        """
        found = {name: part for name, part in self._collected.items() if part}
        self._collected = {}
        if not found:
            return
        for part in found.values():
            part.finish()
            if units is not None:
                part.gather(units)
        groups = {key: [name for name in names if name in found] for key, names in self.groups().items()}
        bound = self.max_grad_norm / len(groups) ** 0.5
        squares = {
            key: torch.stack([found[name].squares() for name in names]).sum(0) for key, names in groups.items() if names
        }
        finite = torch.isfinite(torch.stack(list(squares.values()))).all(0)
        self.norms = torch.stack(list(squares.values())).sum(0).sqrt()
        if not bool(finite.all()):
            self.num_dropped += int((~finite).sum())
            for part in found.values():
                part.blank(~finite)
        for key, square in squares.items():
            norms = square.sqrt()
            if self.clipping == "automatic":
                factors = bound / (norms + _STABLE * bound)
            else:
                factors = bound / norms.clamp(min=bound)
            factors = factors.masked_fill(~finite, 0.0)
            # tables of words, which come first, need most room: when the rest is freed
            for name in reversed(groups[key]):
                self.sums[name] = found.pop(name).sum(factors, self.sums.get(name))

    def take(self) -> dict[str, Tensor]:
        """The clipped sums since the last time, by name, float32; zeros where no example added anything."""
        taken, self.sums = self.sums, {}
        for name, parameter in self.parameters.items():
            if name not in taken:
                taken[name] = torch.zeros_like(parameter, dtype=torch.float32)
        return taken
