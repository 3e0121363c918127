"""Watches a forward pass and catches, in the backward pass that follows, what each example adds to each parameter.

Every call of torch that is given a parameter passes through :class:`Recording`; autograd is not asked for gradients of
parameters at all. So a use that nobody foresaw cannot slip an unclipped gradient past: it is handled by ``vmap``, or
refused by name, or (inside a hand-written autograd function) adds nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from slimlit.privacy.contributions import Contributions, Lookups, Products
from slimlit.privacy.rows import mixes_rows
from slimlit.privacy.trees import bind, mapped, switched, tensors
from slimlit.privacy.word_products import WordProducts
from slimlit.types import WordHead
from slimlit.vocabulary.blocks import Blocks
from slimlit.vocabulary.over_words import losses_of, over_words

_BROADCASTS = {
    *("add", "__add__", "__radd__", "add_", "__iadd__", "sub", "__sub__", "__rsub__", "sub_", "subtract", "rsub"),
    *("mul", "__mul__", "__rmul__", "mul_", "__imul__", "multiply", "div", "__truediv__", "__rtruediv__", "div_"),
    *("true_divide", "addcmul", "lerp", "where", "maximum", "minimum", "pow", "__pow__", "masked_fill"),
    *("scaled_dot_product_attention",),
}
_JOINS = {"cat", "concat"}
_COUPLING = {
    "batch_norm": "BatchNorm mixes the examples of a batch",
    "instance_norm": "instance_norm may keep statistics",
}
_CUTS = {"detach", "size", "dim", "numel", "stride", "is_floating_point", "data_ptr", "__len__", "type", "__repr__"}


class _Rooted(torch.autograd.Function):
    """Calls a function whose inputs ask for no gradient so that its output does."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, call: Callable[[], Tensor]) -> Tensor:
        return call()

    @staticmethod
    def backward(ctx: Any, *gradient: Any) -> tuple[None, None]:
        return None, None


class _Held:
    """Tensors kept for one backward pass: the hook that takes them lives as long as the loss, and they are given up."""

    def __init__(self, *held: Tensor) -> None:
        self._held: tuple[Tensor, ...] | None = tuple(tensor.detach() for tensor in held)

    def take(self) -> tuple[Tensor, ...]:
        """The tensors, once.

        Raises:
            ValueError: they were taken before.
        """
        held, self._held = self._held, None
        if held is None:
            raise ValueError(
                "a second backward pass over one forward pass cannot be clipped: run the forward pass again"
            )
        return held


class Recording(TorchFunctionMode):
    """One forward pass over ``batch_size`` examples, whose tensors are those of ``batch``.

    Args:
        contributions: by the identity of each parameter, where its parts are collected.
        names: by the identity of each parameter, its name.
        batch: the tensors that hold examples, first dimension the example; nested dictionaries and sequences.
        batch_size: the number of examples.
    """

    _serial = 0

    def __init__(
        self, contributions: Mapping[int, Contributions], names: Mapping[int, str], batch: Any, batch_size: int
    ) -> None:
        super().__init__()
        Recording._serial += 1
        self.serial = Recording._serial
        self.contributions, self.names, self.size = contributions, names, batch_size
        self.anchor = torch.zeros((), requires_grad=True)
        self.live: dict[int, Tensor] = {}
        self.derived: list[_Derived] = []
        for tensor in tensors(batch):
            self._mark(tensor)

    # what a tensor is: of the batch (its rows are examples), scrambled (rows mixed), or derived from parameters alone

    def _mark(self, tensor: Tensor, scrambled: bool = False) -> None:
        tensor._slimlit_rows = (self.serial, scrambled)  # type: ignore[attr-defined]

    def _is_batch(self, tensor: Tensor) -> bool:
        return getattr(tensor, "_slimlit_rows", (0,))[0] == self.serial

    def _is_scrambled(self, tensor: Tensor) -> bool:
        return getattr(tensor, "_slimlit_rows", (0, False)) == (self.serial, True)

    def _derivation(self, tensor: Tensor) -> "_Derived | None":
        found: _Derived | None = getattr(tensor, "_slimlit_derived", None)
        return found if found is not None and found.serial == self.serial else None

    def _is_parameter(self, tensor: Tensor) -> bool:
        return id(tensor) in self.contributions

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Handle one call of torch."""
        kwargs = kwargs or {}
        given = list(tensors((args, kwargs)))
        of_batch = [tensor for tensor in given if self._is_batch(tensor)]
        name = getattr(func, "__name__", "")
        if name in _CUTS or not torch.is_grad_enabled():
            ours = []
        else:
            ours = [tensor for tensor in given if self._is_parameter(tensor) or self._derivation(tensor)]
        result = self._handle(func, name, args, kwargs, ours, of_batch) if ours else func(*args, **kwargs)
        if of_batch:
            scrambled = any(self._is_scrambled(tensor) for tensor in of_batch) or mixes_rows(
                func, args, kwargs, self.size, of_batch, result
            )
            for tensor in tensors(result):
                self._mark(tensor, scrambled)
            if name in ("__setitem__",) or (name.endswith("_") and not name.endswith("__")):
                self._mark(args[0], scrambled)
        return result

    def _handle(
        self,
        func: Any,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        ours: list[Tensor],
        of_batch: list[Tensor],
    ) -> Any:
        if name in _COUPLING:
            raise self._refusal(func, ours, _COUPLING[name])
        if not of_batch:
            return self._derive(func, args, kwargs)
        if any(self._is_scrambled(tensor) for tensor in of_batch):
            why = "the rows of its input are no longer examples: picked, moved, repeated or turned"
            raise self._refusal(func, ours, why)
        if all(self._is_parameter(tensor) for tensor in ours):
            handler = self._handlers().get(func)
            if handler is not None:
                result = handler(args, kwargs)
                if result is not None:
                    return result
        if name in _BROADCASTS or (name in _JOINS and not mixes_rows(func, args, kwargs, self.size, of_batch)):
            return self._broadcast(func, args, kwargs, ours, of_batch)
        return self._by_vmap(func, args, kwargs, ours, of_batch)

    def _handlers(self) -> dict[Any, Callable[[tuple[Any, ...], dict[str, Any]], Tensor | None]]:
        return {
            functional.linear: self._linear,
            functional.embedding: self._embedding,
            functional.layer_norm: self._layer_norm,
            functional.rms_norm: self._rms_norm,
            torch.addmm: self._addmm,
            torch.matmul: self._matmul,
            torch.Tensor.matmul: self._matmul,
            over_words: self._over_words,
        }

    def _refusal(self, func: Any, ours: Iterable[Tensor], why: str) -> ValueError:
        found = [self.names[id(tensor)] for tensor in ours if id(tensor) in self.names]
        return ValueError(
            f"{' and '.join(found) or 'a parameter'} in {getattr(func, '__name__', func)}: {why}\n"
            "expected an operation on examples one by one; freeze these parameters or change the network"
        )

    # the known operations

    def _rooted(self, call: Callable[[], Tensor]) -> Tensor:
        """The result of a call, made to ask for its gradient."""
        result = call()
        return result if result.requires_grad else cast(Tensor, _Rooted.apply(self.anchor, call))  # type: ignore[no-untyped-call]

    def _linear(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        inputs, weight, bias = bind(args, kwargs, "input", "weight", "bias")
        if inputs.shape[0] % self.size or self._is_parameter(inputs):
            return None
        result = self._rooted(lambda: functional.linear(inputs, weight, bias))
        self._catch_product(result, inputs, weight, bias)
        return result

    def _addmm(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        if kwargs or len(args) != 3 or args[0].dim() != 1:
            return None
        bias, inputs, weight = args
        if not self._is_batch(inputs) or inputs.shape[0] % self.size:
            return None
        result = self._rooted(lambda: torch.addmm(bias, inputs, weight))
        self._catch_product(result, inputs, weight, bias, transposed=True)
        return result

    def _matmul(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        if kwargs or not self._is_batch(args[0]) or args[1].dim() != 2 or args[0].dim() < 2:
            return None
        inputs, weight = args
        if inputs.shape[0] % self.size:
            return None
        result = self._rooted(lambda: torch.matmul(inputs, weight))
        self._catch_product(result, inputs, weight, None, transposed=True)
        return result

    def _catch_product(
        self, result: Tensor, inputs: Tensor, weight: Tensor, bias: Tensor | None, transposed: bool = False
    ) -> None:
        held, size = _Held(inputs), self.size
        of_weight = self.contributions.get(id(weight))
        of_bias = self.contributions.get(id(bias)) if bias is not None else None
        if of_weight is not None:
            of_weight.num_products += 1

        def catch(gradient: Tensor) -> None:
            (seen,), rows = held.take(), gradient.reshape(size, -1, gradient.shape[-1])
            if of_weight is not None:
                of_weight.add(Products(seen.reshape(size, -1, seen.shape[-1]), rows, transposed))
            if of_bias is not None:
                of_bias.add(rows.sum(1, dtype=torch.float32))

        result.register_hook(catch)  # type: ignore[no-untyped-call]

    def _embedding(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        names = ("input", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
        indices, weight, padding, max_norm, _, by_frequency, _ = bind(args, kwargs, *names)
        if max_norm is not None or by_frequency:
            raise self._refusal(
                functional.embedding, [weight], "max_norm and scale_grad_by_freq mix the examples of a batch"
            )
        if indices.shape[0] % self.size:
            return None
        result = self._rooted(lambda: functional.embedding(indices, weight))
        self._catch_lookup(result, indices, weight, padding)
        return result

    def _catch_lookup(self, result: Tensor, indices: Tensor, weight: Tensor, padding: int | None) -> None:
        held, collected, size = _Held(indices), self.contributions[id(weight)], self.size
        collected.places.append(indices.detach().reshape(size, -1))

        def catch(gradient: Tensor) -> None:
            (places,) = held.take()
            rows, places = gradient.reshape(size, -1, gradient.shape[-1]), places.reshape(size, -1)
            if padding is not None:
                rows = rows.masked_fill((places == padding % len(weight)).unsqueeze(2), 0.0)
            collected.add(Lookups(places, rows))

        result.register_hook(catch)  # type: ignore[no-untyped-call]

    def _over_words(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        names = ("hidden", "weight", "bias", "target", "counted", "num_words", "budget")
        hidden, weight, bias, target, counted, num_words, budget = bind(args, kwargs, *names)
        if len(hidden) != self.size or self._is_parameter(hidden):
            return None
        blocks = Blocks(WordHead(hidden, weight, bias), target, counted, num_words, budget, whole_examples=True)
        of_weight = self.contributions.get(id(weight))
        of_bias = self.contributions.get(id(bias)) if bias is not None else None
        looked_up = of_weight.places if of_weight is not None else []
        part = WordProducts(blocks, looked_up, of_weight is not None, of_bias is not None)

        def losses() -> Tensor:
            return losses_of(hidden, weight, bias, blocks, part)

        result = losses() if hidden.requires_grad else cast(Tensor, _Rooted.apply(self.anchor, losses))  # type: ignore[no-untyped-call]
        once = _Held()

        def catch(gradient: Tensor) -> None:
            once.take()
            part.with_factors(gradient)
            if of_weight is not None:
                of_weight.add(part)
            if of_bias is not None:
                assert part.bias is not None
                of_bias.add(part.bias * gradient.float().unsqueeze(1))

        result.register_hook(catch)  # type: ignore[no-untyped-call]
        return result

    def _layer_norm(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        inputs, shape, weight, bias, eps = bind(args, kwargs, "input", "normalized_shape", "weight", "bias", "eps")
        if inputs.shape[0] % self.size or len(shape) != 1 or self._is_parameter(inputs):
            return None
        eps = 1e-5 if eps is None else eps
        result = self._rooted(lambda: functional.layer_norm(inputs, shape, weight, bias, eps))
        held, size = _Held(inputs), self.size
        of_weight = self.contributions.get(id(weight)) if weight is not None else None
        of_bias = self.contributions.get(id(bias)) if bias is not None else None

        def catch(gradient: Tensor) -> None:
            (seen,), rows = held.take(), gradient.reshape(size, -1, gradient.shape[-1]).float()
            if of_weight is not None:
                normal = functional.layer_norm(seen.float(), shape, None, None, eps).reshape(rows.shape)
                of_weight.add((normal.mul_(rows)).sum(1))
            if of_bias is not None:
                of_bias.add(rows.sum(1))

        result.register_hook(catch)  # type: ignore[no-untyped-call]
        return result

    def _rms_norm(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        inputs, shape, weight, eps = bind(args, kwargs, "input", "normalized_shape", "weight", "eps")
        if self._is_parameter(inputs):
            return None
        normal = functional.rms_norm(inputs, shape, None, eps)
        self._mark(normal)
        return cast(Tensor, self._broadcast(torch.mul, (normal, weight), {}, [weight], [normal]))

    # everything else

    def _derive(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function of parameters alone, the same for all examples: it keeps its own small graph until it meets the batch."""
        used: dict[int, Tensor] = {}

        def alive(tensor: Tensor) -> Tensor:
            if self._is_parameter(tensor):
                used[id(tensor)] = tensor
                return self.live.setdefault(id(tensor), tensor.detach().requires_grad_())
            known = self._derivation(tensor)
            used.update(known.parameters if known else {})
            return tensor

        result = func(*mapped(args, alive), **mapped(kwargs, alive))
        for tensor in tensors(result):
            if tensor.requires_grad:
                found = _Derived(self.serial, tensor, used, self.live)
                if func is functional.embedding:
                    indices, weight, padding = bind(args, kwargs, "input", "weight", "padding_idx")
                    if padding is None and self._is_parameter(weight):
                        found.lookup = (indices, weight)
                tensor._slimlit_derived = found  # type: ignore[attr-defined]
        return result

    def _lookup(self, of: Tensor) -> tuple[Tensor, Tensor] | None:
        """Indices and table, where something derived is rows of an embedding."""
        derived = self._derivation(of)
        return None if derived is None else derived.lookup

    def _collect(self, of: Tensor, parts: Tensor) -> None:
        """Hand the examples' gradients with respect to a parameter or something derived to where they belong."""
        if self._is_parameter(of):
            self.contributions[id(of)].add(parts)
            return
        derived = self._derivation(of)
        assert derived is not None
        if derived.lookup is not None:
            indices, weight = derived.lookup
            places = indices.expand(of.shape[:-1]).reshape(1, -1).expand(self.size, -1)
            self.contributions[id(weight)].add(Lookups(places, parts.reshape(self.size, -1, parts.shape[-1])))
            return
        for identity, part in derived.back(of, parts):
            self.contributions[identity].add(part)

    def _broadcast(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ours: list[Tensor], of_batch: list[Tensor]
    ) -> Any:
        """An operation that broadcasts its inputs: each example gets a row of its own of what all share."""
        most = max(tensor.dim() for tensor in tensors((args, kwargs)))
        lengths = {tensor.shape[0] for tensor in of_batch if tensor.dim() == most}
        if len(lengths) != 1 or (length := lengths.pop()) % self.size or not length:
            return self._by_vmap(func, args, kwargs, ours, of_batch)
        rows: dict[int, Tensor] = {}
        for tensor in ours:
            lined = tensor.detach().reshape((1,) * (most - tensor.dim()) + tensor.shape)
            if lined.shape[0] == 1:
                rows[id(tensor)] = lined.expand(self.size, *lined.shape[1:]).requires_grad_()
            elif lined.shape[0] == self.size == length:
                rows[id(tensor)] = lined.requires_grad_()
            else:
                return self._by_vmap(func, args, kwargs, ours, of_batch)
        spread = {
            key: row if length == self.size else row.repeat_interleave(length // self.size, 0)
            for key, row in rows.items()
        }
        result = func(*switched(args, spread), **switched(kwargs, spread))
        for tensor in ours:
            row, shared, once = rows[id(tensor)], tensor.dim() < most or tensor.shape[0] == 1, _Held()

            def catch(gradient: Tensor, of: Tensor = tensor, shared: bool = shared, once: _Held = once) -> None:
                once.take()
                if shared:
                    self._collect(of, gradient.reshape(self.size, *of.shape))
                elif (looked := self._lookup(of)) is not None and looked[0].shape == gradient.shape[:-1]:
                    indices, weight = looked  # row b of it belongs to example b
                    self.contributions[id(weight)].add(Lookups(indices.flatten(1), gradient.flatten(1, -2)))
                else:
                    apart = gradient.new_zeros(self.size, *of.shape)
                    each = torch.arange(self.size, device=gradient.device)
                    apart[each, each] = gradient
                    self._collect(of, apart)

            row.register_hook(catch)  # type: ignore[no-untyped-call]
        return result

    def _by_vmap(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], ours: list[Tensor], of_batch: list[Tensor]
    ) -> Any:
        """Any function, by the gradients of single examples made whole: right, and dear in time and memory."""
        if any(tensor.dim() == 0 or tensor.shape[0] != self.size for tensor in of_batch):
            raise self._refusal(func, ours, f"an input is not laid out as {self.size} examples")
        constants = {id(tensor): tensor.detach() for tensor in ours}
        result = self._rooted(lambda: func(*switched(args, constants), **switched(kwargs, constants)))
        if not isinstance(result, Tensor) or result.dim() == 0 or result.shape[0] != self.size:
            raise self._refusal(func, ours, "its output is not one tensor with a row for each example")
        held = _Held(*of_batch)

        def single(shared: list[Tensor], *rows: Tensor) -> Tensor:
            with torch.enable_grad():
                table = {id(mine): now for mine, now in zip(ours, shared, strict=True)}
                table.update({id(whole): row.unsqueeze(0) for whole, row in zip(of_batch, rows, strict=True)})
                return cast(Tensor, func(*switched(args, table), **switched(kwargs, table)))

        def backward(gradient: Tensor, *rows: Tensor) -> Any:
            shared = [tensor.detach() for tensor in ours]
            return torch.func.vjp(lambda now: single(now, *rows), shared)[1](gradient.unsqueeze(0))[0]

        def catch(gradient: Tensor) -> None:
            seen = held.take()
            try:
                parts = torch.func.vmap(backward)(gradient, *seen)
            except RuntimeError as error:
                raise self._refusal(func, ours, f"vmap cannot take it apart ({error})") from error
            for tensor, part in zip(ours, parts, strict=True):
                self._collect(tensor, part)

        result.register_hook(catch)  # type: ignore[no-untyped-call]
        return result


class _Derived:
    """What was made of parameters alone: which, and the way back."""

    def __init__(self, serial: int, tensor: Tensor, parameters: dict[int, Tensor], live: dict[int, Tensor]) -> None:
        self.serial, self.parameters, self.live = serial, dict(parameters), live
        self.lookup: tuple[Tensor, Tensor] | None = None

    def back(self, of: Tensor, parts: Tensor) -> Iterator[tuple[int, Tensor]]:
        """The examples' gradients with respect to each parameter, from those with respect to what was made of it."""
        for identity in self.parameters:
            (found,) = torch.autograd.grad(
                of, self.live[identity], parts.to(of.dtype), retain_graph=True, is_grads_batched=True, allow_unused=True
            )
            if found is not None:
                yield identity, found
