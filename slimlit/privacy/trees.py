"""Tensors within the nested arguments and results of a call."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch import Tensor


def tensors(tree: Any) -> Iterator[Tensor]:
    """All tensors in nested tuples, lists, mappings and objects with fields."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for item in tree:
            yield from tensors(item)
    elif isinstance(tree, Mapping):
        yield from tensors(list(tree.values()))
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        yield from tensors([getattr(tree, part.name) for part in dataclasses.fields(tree)])


def mapped(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same tree with each tensor changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    if type(tree) in (tuple, list):
        return type(tree)(mapped(item, change) for item in tree)
    if type(tree) is dict:
        return {key: mapped(item, change) for key, item in tree.items()}
    return tree


def switched(tree: Any, table: Mapping[int, Tensor]) -> Any:
    """The same tree with others in the place of some tensors, found by identity."""
    return mapped(tree, lambda tensor: table.get(id(tensor), tensor))


def bind(args: tuple[Any, ...], kwargs: dict[str, Any], *names: str) -> list[Any]:
    """The values of a call's parameters, by position or name; None where not given."""
    return [args[place] if place < len(args) else kwargs.get(name) for place, name in enumerate(names)]
