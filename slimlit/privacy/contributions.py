"""What each example adds to the gradient of one parameter, as it comes out of one backward pass: never summed before it is clipped.

Four shapes cover everything. The gradient of a linear layer is a sum of outer products over its tokens, that of an
embedding a sum of rows at its indices, that of a loss over a vocabulary is made anew block by block, and what takes no more
room so is held whole. Norms and sums of all, and of their mixtures where one parameter is used in several ways (tied weights),
are exact.

Source: outer products and Gram matrices after Goodfellow (2015, arXiv:1510.01799) and Li et al. (2021, arXiv:2110.05679),
one backward pass ("book-keeping") after Bu et al. (2022, arXiv:2210.00038).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from slimlit.privacy.gram import Gram
from slimlit.privacy.word_products import CANCELS, WordProducts

_CHUNK = 2**22  # numbers held at once where gradients of single examples are made whole


@dataclass
class Products:
    """``sum_r outputs[b, r] inputs[b, r]^T``: of a linear layer; ``transposed`` where the parameter is (in, out)."""

    inputs: Float[Tensor, "batch rows in"]
    outputs: Float[Tensor, "batch rows out"]
    transposed: bool = False

    def compact(self) -> "Products":
        """Without the rows whose gradient is exactly zero: padding, positions without a label."""
        kept = _nonzero_rows(self.outputs)
        if kept is None:
            return self
        return Products(_take(self.inputs, kept), _take(self.outputs, kept), self.transposed)

    def straight(self) -> "Products":
        """The same with the parameter as (out, in): for a transposed one, inputs and outputs trade places."""
        return Products(self.outputs, self.inputs) if self.transposed else self

    def is_smaller_whole(self) -> bool:
        """Whether the gradients of single examples take no more room than what they are made of."""
        (_, rows, width), (_, _, height) = self.inputs.shape, self.outputs.shape
        return 4 * width * height <= rows * (width * self.inputs.itemsize + height * self.outputs.itemsize)

    def squares(self, grams: "LastGram") -> Float[Tensor, " batch"]:
        """Squared norms, from two Gram matrices; made anew from whole gradients where rows cancel and float32 would not hold them."""
        inputs, outputs = grams.of(self.inputs), Gram(self.outputs)
        found = inputs.inner(outputs)
        kept = (inputs.lengths() * outputs.lengths()).sum(1).square()
        cancelled = (kept > CANCELS * self.inputs.shape[1] * found).nonzero().flatten()
        if not len(cancelled):
            return found
        size = max(1, _CHUNK // (self.inputs.shape[2] * self.outputs.shape[2]))
        wholes = (self.whole(some).flatten(1) for some in torch.split(cancelled, size))
        again = torch.cat([torch.linalg.vector_norm(whole, dim=1).square() for whole in wholes])
        return found.index_copy(0, cancelled, again)

    def whole(self, examples: slice | Tensor) -> Float[Tensor, "some out in"]:
        """The gradients of some examples, as the parameter lies."""
        first, second = self.straight().outputs[examples], self.straight().inputs[examples]
        return torch.bmm(first.float().transpose(1, 2), second.float())

    def sum(self, factors: Float[Tensor, " batch"], total: Tensor | None) -> Tensor:
        """``total``, or zero, and the sum over examples, each times its factor; like the parameter, but flat in both sides."""
        first, second = self.straight().outputs.flatten(0, 1), self.straight().inputs.flatten(0, 1)
        rows = factors.repeat_interleave(self.inputs.shape[1]).unsqueeze(1)
        if first.shape[1] <= second.shape[1]:
            first = first.float() * rows
        else:
            second = second.float() * rows
        if total is None:
            return torch.mm(first.float().t(), second.float())
        return total.view(first.shape[1], second.shape[1]).addmm_(first.float().t(), second.float())


@dataclass
class Lookups:
    """``outputs[b, r]`` at row ``indices[b, r]``: of an embedding."""

    indices: Int[Tensor, "batch rows"]
    outputs: Float[Tensor, "batch rows out"]

    def compact(self) -> "Lookups":
        """Without the rows whose gradient is exactly zero."""
        kept = _nonzero_rows(self.outputs)
        if kept is None:
            return self
        return Lookups(torch.gather(self.indices, 1, kept), _take(self.outputs, kept))

    def squares(self, num_rows: int) -> Float[Tensor, " batch"]:
        """Squared norms: the rows of one example at one index are added up first."""
        batch = len(self.indices)
        place = self.indices + num_rows * torch.arange(batch, device=self.indices.device)[:, None]
        places, back = torch.unique(place, return_inverse=True)
        rows = self.outputs.new_zeros(len(places), self.outputs.shape[2], dtype=torch.float32)
        rows.index_add_(0, back.flatten(), self.outputs.float().flatten(0, 1))
        return rows.new_zeros(batch).index_add_(0, places // num_rows, rows.square().sum(1))

    def add_to(self, total: Tensor, factors: Float[Tensor, " batch"]) -> None:
        """Add the sum over examples, each times its factor."""
        scaled = (self.outputs.float() * factors[:, None, None]).flatten(0, 1)
        total.index_add_(0, self.indices.flatten(), scaled)


class LastGram:
    """The Gram matrix last asked for: layers that read the same inputs follow each other and share it."""

    def __init__(self) -> None:
        self._last: tuple[Tensor, Gram] | None = None

    def of(self, rows: Float[Tensor, "batch rows width"]) -> Gram:
        """The Gram matrix of the rows."""
        if self._last is None or not _same(self._last[0], rows):
            self._last = rows, Gram(rows)
        return self._last[1]


def _same(one: Tensor, other: Tensor) -> bool:
    return (one.data_ptr(), one.shape, one.stride()) == (other.data_ptr(), other.shape, other.stride())


class Contributions:
    """All that one batch adds to one parameter, example by example.

    Args:
        parameter: the parameter.
        grams: shared by the parameters of a batch.
    """

    def __init__(self, parameter: Tensor, grams: LastGram) -> None:
        self.parameter, self.grams = parameter, grams
        self.products: list[Products] = []
        self.lookups: list[Lookups] = []
        self.whole: Tensor | None = None
        self.word_products: list[WordProducts] = []
        self.num_products = 0  # foreseen in the forward pass
        self.places: list[Tensor] = []  # looked up in the forward pass
        self._squares: Tensor | None = None  # of the products

    def __bool__(self) -> bool:
        return bool(self.products or self.lookups or self.word_products or self.whole is not None)

    def add(self, part: Products | Lookups | WordProducts | Tensor) -> None:
        """Take up one use's part: products, lookups, or gradients made whole, (batch, \\*parameter); empty rows are dropped."""
        if isinstance(part, WordProducts):
            self.word_products.append(part)
            return
        if isinstance(part, Lookups):
            self.lookups.append(part.compact())
            return
        if isinstance(part, Products):
            part = part.compact()
            if not part.is_smaller_whole():
                self.products.append(part)
                if self.num_products == 1:  # now, while its rows are in the cache of the processor
                    self._squares = part.squares(self.grams)
                return
            part = part.whole(slice(None))
        part = part.float().reshape(len(part), *self.parameter.shape)
        self.whole = part if self.whole is None else self.whole + part

    def finish(self) -> None:
        """Lay uses of one kind side by side; call once, after the backward pass."""
        known = all(words.knows(part.indices) for words in self.word_products for part in self.lookups)
        if len(self.word_products) > 1 or self.products or self.whole is not None or not known:
            self._hold()
        self._lay_side_by_side()

    def _hold(self) -> None:
        """Make what was to be made block by block whole: only so are mixtures with other products exact."""
        for part in self.word_products:
            self.products.append(Products(*part.held()))
            self._squares = None
        self.word_products = []

    def _lay_side_by_side(self) -> None:
        if len(self.products) > 1:
            parts = [part.straight() for part in self.products]
            inputs = torch.cat([part.inputs.float() for part in parts], dim=1)
            self.products = [Products(inputs, torch.cat([part.outputs.float() for part in parts], dim=1))]
            self._squares = None
        if len(self.lookups) > 1:
            indices = torch.cat([part.indices for part in self.lookups], dim=1)
            self.lookups = [Lookups(indices, torch.cat([part.outputs.float() for part in self.lookups], dim=1))]

    def gather(self, units: Int[Tensor, " batch"]) -> None:
        """Lay the rows of all examples of a unit side by side, so that each unit stands where an example stood."""
        if self.word_products:
            self._hold()
        count = torch.bincount(units)
        order = torch.argsort(units, stable=True)
        number = torch.arange(len(units), device=units.device) - (count.cumsum(0) - count)[units[order]]
        places = torch.full((len(count), int(count.max())), len(units), device=units.device)
        places[units[order], number] = order  # the place past the last holds zeros

        def together(rows: Tensor) -> Tensor:
            return torch.cat([rows, torch.zeros_like(rows[:1])])[places].flatten(1, 2)

        for products in self.products:
            products.inputs, products.outputs = together(products.inputs), together(products.outputs)
            self._squares = None
        for lookups in self.lookups:
            lookups.indices, lookups.outputs = together(lookups.indices), together(lookups.outputs)
        if self.whole is not None:
            whole = self.whole
            self.whole = whole.new_zeros(len(count), *whole.shape[1:]).index_add_(0, units, whole)

    def batch_size(self) -> int:
        """Examples in the batch."""
        if self.whole is not None:
            return len(self.whole)
        if self.word_products:
            return len(self.word_products[0].factors)
        return len(self.products[0].inputs) if self.products else len(self.lookups[0].indices)

    def blank(self, bad: Bool[Tensor, " batch"]) -> None:
        """Make the parts of some examples zero, whatever they hold."""
        for products in self.products:
            products.inputs = products.inputs.masked_fill(bad[:, None, None], 0.0)
            products.outputs = products.outputs.masked_fill(bad[:, None, None], 0.0)
        for lookups in self.lookups:
            lookups.outputs = lookups.outputs.masked_fill(bad[:, None, None], 0.0)
        for words in self.word_products:
            words.blank(bad)
        if self.whole is not None:
            self.whole = self.whole.masked_fill(bad.view(-1, *[1] * (self.whole.dim() - 1)), 0.0)

    def squares(self) -> Float[Tensor, " batch"]:
        """The squared norm of each example's gradient of this parameter, exact over all its uses."""
        total = torch.zeros(self.batch_size(), device=self.parameter.device)
        if self.products:
            total += self.products[0].squares(self.grams) if self._squares is None else self._squares
        if self.lookups:
            total += self.lookups[0].squares(len(self.parameter))
        for words in self.word_products:
            total += words.squared_norms()
            for lookups in self.lookups:
                total += 2 * words.cross(lookups.indices, lookups.outputs)
        if self.whole is not None:
            total += torch.linalg.vector_norm(self.whole.flatten(1), dim=1).square()
        if self.products and self.lookups:
            total += 2 * _cross(self.products[0].straight(), self.lookups[0])
        if self.whole is not None and self.products:
            product = self.products[0].straight()
            along = torch.bmm(product.outputs.float(), self.whole)
            total += 2 * (along * product.inputs.float()).sum((1, 2))
        if self.whole is not None and self.lookups:
            where = self.lookups[0].indices.unsqueeze(2).expand(-1, -1, self.whole.shape[2])
            total += 2 * (torch.gather(self.whole, 1, where) * self.lookups[0].outputs.float()).sum((1, 2))
        return total.clamp_(min=0.0)

    def sum(self, factors: Float[Tensor, " batch"], total: Tensor | None = None) -> Tensor:
        """``total``, or zero, and the sum over examples, each times its factor: float32, like the parameter; frees the parts."""
        for products in self.products:
            total = products.sum(factors, total)
        if total is None:
            total = torch.zeros_like(self.parameter, dtype=torch.float32)
        total = total.view(self.parameter.shape)
        for lookups in self.lookups:
            lookups.add_to(total, factors)
        for words in self.word_products:
            words.add_to(total, factors)
        if self.whole is not None:
            total += torch.tensordot(factors, self.whole, dims=1)
        self.products, self.lookups, self.word_products, self.whole = [], [], [], None
        return total


def _cross(products: Products, lookups: Lookups) -> Float[Tensor, " batch"]:
    """Inner products of a linear and an embedding use of one parameter (out, in): rows of it are found by index."""
    rows = products.outputs.shape[1]
    where = lookups.indices.unsqueeze(1).expand(-1, rows, -1)
    weights = torch.gather(products.outputs, 2, where).float()
    along = torch.bmm(products.inputs.float(), lookups.outputs.float().transpose(1, 2))
    return (weights * along).sum((1, 2))


def _nonzero_rows(outputs: Float[Tensor, "batch rows out"]) -> Int[Tensor, "batch kept"] | None:
    """Places of the rows that hold anything, padded with empty ones to the fullest example; None if that saves little."""
    if outputs.shape[1] < 4:
        return None
    enough = 0.9 * outputs.shape[1]
    if int((outputs[:, :, 0] != 0).sum(1).max()) > enough:
        return None
    filled = (outputs.amax(2) != 0) | (outputs.amin(2) != 0)  # true for NaN; a norm takes thirty times as long
    most = max(1, int(filled.sum(1).max()))
    if most > enough:
        return None
    order: Tensor = filled.int().argsort(dim=1, descending=True, stable=True)
    return order[:, :most]


def _take(
    rows: Float[Tensor, "batch rows width"], kept: Int[Tensor, "batch kept"]
) -> Float[Tensor, "batch kept width"]:
    return torch.gather(rows, 1, kept.unsqueeze(2).expand(-1, -1, rows.shape[2]))
