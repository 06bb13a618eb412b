"""Matrix products: the plain one, and the affine map of a dense layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError

FEW = 8
"""So few features that copying them takes less than a pass over the output."""


class Matmul(Function, name="matmul"):
    """y = a b, the matrix product over the last two axes, leading axes broadcast.

    a (..., n, m), b (..., m, p) → y (..., n, p);
    dL/da = dL/dy bᵀ, dL/db = aᵀ dL/dy, summed over the axes that were broadcast.
    A vector a (m,) counts as a row (1, m), a vector b (m,) as a column (m, 1); y then
    lacks that axis. As in NumPy and PyTorch.
    """

    layout = "any"
    saves_output = False

    def allocate(self, a: Array, b: Array) -> Array:
        shapes = a.shape, b.shape
        self.row = a.ndim == 1
        self.column = b.ndim == 1
        try:
            if not a.ndim or not b.ndim:
                raise ValueError
            a, b = self._matrices(a, b)
            lead = xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            if a.shape[-1] != b.shape[-2]:
                raise ValueError
        except ValueError:
            raise ShapeError(
                "matmul: expected shapes (..., n, m) and (..., m, p), got "
                f"{shapes[0]} and {shapes[1]}."
            ) from None
        self.lead = lead
        rows = () if self.row else (a.shape[-2],)
        columns = () if self.column else (b.shape[-1],)
        return xp.empty((*lead, *rows, *columns), xp.result_type(a, b))

    def forward(self, a: Array, b: Array, out: Array) -> None:
        self.a, self.b = self._matrices(a, b)
        product = product_over(self.a.shape[-1])
        product(self.a, self.b, out=self._matrix(out))

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        grad = self._matrix(grad)
        da, db = self._matrices(da, db)
        if da is not None:
            _product(grad, self.b.swapaxes(-1, -2), self.lead, da)
        if db is not None:
            _product(self.a.swapaxes(-1, -2), grad, self.lead, db)

    def _matrices(self, a: Any, b: Any) -> tuple[Any, Any]:
        """Return views with two axes at least: rows and columns instead of vectors."""
        if self.row and a is not None:
            a = a[None, :]
        if self.column and b is not None:
            b = b[:, None]
        return a, b

    def _matrix(self, y: Array) -> Array:
        """Return a view of an output with the axes that it lacks."""
        if self.column:
            y = y[..., None]
        return y[..., None, :] if self.row else y

    def flops(self, *arrays: Sized) -> int:
        """Count a multiplication and an addition for each term: 2·n·m·p."""
        return int(2 * arrays[-1].size * arrays[0].shape[-1])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Single, batched and broadcast products; vectors on either side."""
        shapes: list[tuple[Shape, Shape]] = [
            ((3, 4), (4, 2)),
            ((1, 4), (4, 1)),
            ((2, 3, 4), (2, 4, 2)),
            ((2, 3, 4), (4, 2)),
            ((2, 1, 3, 4), (5, 4, 2)),
            ((4,), (4,)),
            ((4,), (2, 4, 3)),
            ((2, 3, 4), (4,)),
        ]
        for left, right in shapes:
            yield Case(cls(), (rng.normal(size=left), rng.normal(size=right)))


def product_over(terms: int) -> np.ufunc:
    """Return what writes matrix products whose sums have so many terms."""
    # NumPy hands a product of a column and a row to no BLAS, but to a loop of its own
    # that takes five times as long as the same by broadcasting.
    return xp.multiply if terms == 1 else xp.matmul


def _product(left: Array, right: Array, lead: Shape, out: Array) -> None:
    """Write the product, summed over the leading axes that ``out`` does not have."""
    product = product_over(left.shape[-1])
    if out.shape[:-2] == lead:
        product(left, right, out=out)
        return
    work = scratch(form((*lead, *out.shape[-2:]), out.dtype))
    product(left, right, out=work)
    extra = work.ndim - out.ndim
    kept = out[(None,) * extra]
    axes = tuple(
        i for i in range(work.ndim - 2) if kept.shape[i] == 1 and work.shape[i] != 1
    )
    axes = tuple(dict.fromkeys((*range(extra), *axes)))
    xp.add.reduce(work, axis=axes, out=kept, keepdims=True)


class Linear(Function, name="linear"):
    """y = x Wᵀ + b, the affine map of a dense layer.

    x (..., F), W (U, F), b (U,), optional → y (..., U); with the rows of x and of
    dL/dy stacked, dL/dx = dL/dy W, dL/dW = dL/dyᵀ x, dL/db = Σ dL/dy over the rows.
    The weight has PyTorch's orientation: one row an output unit.
    """

    saves_inputs = (True, True, False)
    saves_output = False
    keeps_lengths = True

    def allocate(self, x: Array, weight: Array, *bias: Array) -> Array:
        """Make the output, features first in memory where x has two axes."""
        if x.ndim < 1 or weight.ndim != 2 or x.shape[-1] != weight.shape[1]:
            raise ShapeError(
                f"linear: expected inputs with {weight.shape[-1]} features in the "
                f"last axis, got shape {x.shape}."
            )
        if bias and bias[0].shape != weight.shape[:1]:
            raise ShapeError(
                f"linear: expected a bias of shape {weight.shape[:1]}, got "
                f"{bias[0].shape}."
            )
        # Of a row that is one sequence, the steps become units.
        self.keeps_lengths = x.ndim > 2
        units, features = weight.shape
        rows = x.size // max(features, 1)
        if bias and self.differentiated:
            self.ones = xp.ones(rows, x.dtype)
        self.over_features = product_over(features)
        self.over_units, self.over_rows = product_over(units), product_over(rows)
        joins = bias and x.ndim == 2 and features < FEW and units * rows >= 2**12
        self.joined = Joined(x, units) if joins else None
        if x.ndim == 2:
            # With features first, everything that follows along the batch (adding the
            # bias, the maximum over classes) runs along contiguous memory.
            return xp.empty((units, x.shape[0]), x.dtype).T
        return xp.empty((*x.shape[:-1], units), x.dtype)

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write x Wᵀ + b: called as (x, weight, bias, out) or (x, weight, out)."""
        out = rest[-1]
        if x.ndim != 2:
            x, out = _rows(x), _rows(out)
        self.x, self.weight = x, weight
        if self.joined is not None:
            self.joined(x, weight, rest[0], out)
            return
        # The transposed product: its output is row-major where out is features first.
        self.over_features(weight, x.T, out=out.T)
        if len(rest) == 2:
            xp.add(out, rest[0], out=out)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        if grad.ndim != 2:
            grad, dx = _rows(grad), None if dx is None else _rows(dx)
        if dx is not None:
            self.over_units(grad, self.weight, out=dx)
        if dweight is not None:
            self.over_rows(grad.T, self.x, out=dweight)
        if dbias is not None:
            # A product with ones is several times faster than a sum along axis 0.
            xp.dot(grad.T, self.ones, out=dbias)

    def flops(self, *arrays: Sized) -> int:
        """Count the product's 2·N·F·U and the bias's N·U."""
        bias = arrays[-1].size if len(arrays) == 4 else 0
        return int(2 * arrays[-1].size * arrays[1].shape[1] + bias)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences; with and without bias."""
        for shape, units in (((1, 3), 2), ((5, 3), 1), ((2, 4, 3), 2), ((3,), 2)):
            x, w, b = (rng.normal(size=s) for s in (shape, (units, 3), (units,)))
            yield Case(cls(), (x, w, b))
            yield Case(cls(), (x, w))


class Joined:
    """x Wᵀ + b as one product (x 1)(W b)ᵀ, which spares a pass over the output.

    For few features, where copying x and W takes less than that.

    Args:
        x: (N, F) the input.
        units: U, the rows of W.
    """

    def __init__(self, x: Array, units: int) -> None:
        rows, features = x.shape
        inputs = xp.ones((features + 1, rows), x.dtype)
        weights = xp.empty((units, features + 1), x.dtype)
        self.inputs, self.x = inputs, inputs[:-1].T
        self.weights, self.weight, self.bias = weights, weights[:, :-1], weights[:, -1]
        self.constant = not x.flags.writeable
        xp.copyto(self.x, x)

    def __call__(self, x: Array, weight: Array, bias: Array, out: Array) -> None:
        """Write x Wᵀ + b."""
        if not self.constant:
            xp.copyto(self.x, x)
        xp.copyto(self.weight, weight)
        xp.copyto(self.bias, bias)
        xp.matmul(self.weights, self.inputs, out=out.T)


def _rows(array: Array) -> Array:
    """Return a view with all leading axes as one; layout promises that it is one."""
    return array.reshape(-1, array.shape[-1])
