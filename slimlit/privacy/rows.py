"""``mixes_rows``: whether a call of torch leaves rows that are no longer examples in their order."""

from typing import Any

import torch
from torch import Tensor

_ALWAYS = {
    *("masked_select", "masked_scatter", "nonzero", "argwhere", "unique", "unique_consecutive", "__rmatmul__"),
    *("take", "put", "index_put", "flipud", "msort", "vstack", "row_stack", "as_strided"),
}
_LAID_OUT = {"expand", "expand_as", "broadcast_to", "repeat", "tile"}  # the shape of the result tells
_WRITES = {"index_add", "index_copy", "index_reduce", "scatter", "scatter_add", "scatter_reduce"}
# what moves, picks or cuts along dimensions: where these stand among the arguments, what they are called, and by default
_ALONG: dict[str, tuple[int, str, Any]] = {
    **dict.fromkeys(("index_select", "gather", "select", "narrow", *_WRITES), (1, "dim", None)),
    **dict.fromkeys(("sort", "argsort"), (1, "dim", -1)),
    **dict.fromkeys(("topk", "kthvalue"), (2, "dim", -1)),
    **dict.fromkeys(("split", "split_with_sizes", "chunk", "tensor_split"), (2, "dim", 0)),
    "unbind": (1, "dim", 0),
    "unfold": (1, "dimension", None),
    "flip": (1, "dims", None),
    "roll": (2, "dims", None),
    "rot90": (2, "dims", (0, 1)),
    "take_along_dim": (2, "dim", None),
}
_SWAPS = {"transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "transpose_copy"}
_TURNS = {"t", "T", "H", "mT", "mH", "adjoint"}


def mixes_rows(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], size: int, of_batch: list[Tensor], result: Any = None
) -> bool:
    """Whether a call leaves rows that are no longer examples in their order.

    Rows are in order where each of ``size`` examples holds an equal stretch of the tensor read flat, the first example
    the first: so ``reshape`` never mixes, nor does repeating each row the same number of times.

    Guarantees:
        - whatever picks, moves, repeats or cuts along the dimension of the examples mixes; an index that is
          ``0, 1, 2, ...`` up to the number of rows does not.

    Args:
        func: the function of torch.
        args: what it was given.
        kwargs: what it was given by name.
        size: the number of examples.
        of_batch: the tensors among them whose rows are examples.
        result: what it gave.
    """
    name = _name_of(func)
    source: Any = args[0] if args else kwargs.get("input", kwargs.get("self", kwargs.get("tensors")))
    if name in _ALWAYS or (name == "where" and len(args) + len(kwargs) == 1):
        return True
    if name in ("cat", "concat", "concatenate", "stack"):
        dims = max(part.dim() for part in source) + (name == "stack")  # an empty one may have fewer
        return bool((args[1] if len(args) > 1 else kwargs.get("dim", 0)) % max(1, dims) == 0)
    if name == "hstack":
        return bool(source[0].dim() <= 1)
    if not isinstance(source, Tensor):
        return False
    if name == "__setitem__":
        one = not isinstance(args[2], Tensor) or args[2].numel() <= 1  # the same number everywhere
        return not one and _picks_rows(source, args[1], size)
    if not any(source is tensor for tensor in of_batch) and name not in _WRITES:
        return name == "__getitem__" and any(_is_mask(item) for item in _items(args[1]))
    if name == "__getitem__":
        return _picks_rows(source, args[1], size)
    if name in _LAID_OUT and isinstance(result, Tensor):
        return result.dim() != source.dim() or result.shape[:1] != source.shape[:1]
    if name == "repeat_interleave":
        repeats = args[1] if len(args) > 1 else kwargs.get("repeats")
        return isinstance(repeats, Tensor) and repeats.numel() > 1 and _touches(source, _given(args, kwargs, 2), size)
    if name in _TURNS:
        return source.dim() == 2 or (source.dim() > 2 and (name in ("T", "H") or source.shape[0] % size != 0))
    if name in _SWAPS:
        return _touches(source, [*args[1:], *kwargs.values()], size)
    if name == "permute":
        order = list(_numbers([*args[1:], *kwargs.values()]))
        return order[0] % source.dim() != 0 or source.shape[0] % size != 0
    if name == "diagonal":
        first, second = (_given(args, kwargs, place, f"dim{place - 1}", place - 2) for place in (2, 3))
        return _touches(source, [first, second], size)
    if name in _ALONG:
        place, called, usual = _ALONG[name]
        index = args[place + 1] if len(args) > place + 1 else kwargs.get("index")
        if name == "gather" and isinstance(index, Tensor) and index.shape[:1] != source.shape[:1]:
            return True
        given = list(args[1:]) if name == "flip" and len(args) > 2 else _given(args, kwargs, place, called, usual)
        return _touches(source, given, size)
    return False


def _name_of(func: Any) -> str:
    """The name of a function, of a property, or of what a function in place does."""
    name: str = getattr(func, "__name__", "")
    if name == "__get__":
        return getattr(func.__self__, "__name__", "")
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


def _given(args: tuple[Any, ...], kwargs: dict[str, Any], place: int, name: str = "dim", usual: Any = None) -> Any:
    return args[place] if len(args) > place else kwargs.get(name, usual)


def _numbers(tree: Any) -> list[int]:
    if isinstance(tree, (tuple, list)):
        return [number for item in tree for number in _numbers(item)]
    return [tree] if isinstance(tree, int) else []


def _touches(source: Tensor, dims: Any, size: int) -> bool:
    """Whether these dimensions hold examples: the first does, and none is known to hold none where it is no multiple."""
    if not source.dim():
        return False
    numbers = _numbers(dims)
    return not numbers or source.shape[0] % size != 0 or 0 in [number % source.dim() for number in numbers]


def _items(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _is_mask(item: Any) -> bool:
    return isinstance(item, bool) or (isinstance(item, Tensor) and item.dtype in (torch.bool, torch.uint8))


def _picks_rows(source: Tensor, index: Any, size: int) -> bool:
    """Whether an index picks among the rows of a tensor, or puts another dimension first."""
    items = [torch.as_tensor(item) if isinstance(item, (list, range)) else item for item in _items(index)]
    if any(_is_mask(item) for item in items):
        return True
    kept = [item for item in items if item is not None]
    if source.dim() and len(kept) > source.dim() and kept[0] is Ellipsis:
        kept = kept[1:]  # it stands for no dimension
    if not source.dim() or not kept or all(item is Ellipsis for item in kept):
        return False
    first, num_rows = kept[0], source.shape[0]
    if num_rows % size:
        return True
    many = [isinstance(item, Tensor) and item.dim() > 0 for item in items if not _is_one(item)]
    if isinstance(first, slice) and first.indices(num_rows) != (0, num_rows, 1):
        return True
    if first is Ellipsis or isinstance(
        first, slice
    ):  # indices that do not stand side by side put their dimension first
        return any(many) and not all(many[many.index(True) : len(many) - many[::-1].index(True)])
    if not isinstance(first, Tensor) or first.dim() < max(item.dim() for item in items if isinstance(item, Tensor)):
        return True
    in_order = torch.arange(num_rows, device=first.device)
    return first.shape[:1] != in_order.shape or not torch.equal(first.flatten(), in_order.to(first.dtype))


def _is_one(item: Any) -> bool:
    """Whether an index is a number, which takes its dimension away."""
    return isinstance(item, int) or (isinstance(item, Tensor) and item.dim() == 0)
