"""Matrix products: the plain one, and the affine map of a dense layer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, xp
from nncli.errors import ShapeError


class Matmul(Function, name="matmul"):
    """y = a b, the matrix product over the last two axes, leading axes broadcast.

    a (..., n, m), b (..., m, p) → y (..., n, p);
    dL/da = dL/dy bᵀ, dL/db = aᵀ dL/dy, summed over the axes that were broadcast.
    """

    def allocate(self, a: Array, b: Array) -> Array:
        """Make the output."""
        try:
            if min(a.ndim, b.ndim) < 2:
                raise ValueError
            lead = xp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            if a.shape[-1] != b.shape[-2]:
                raise ValueError
        except ValueError:
            raise ShapeError(
                "matmul: expected shapes (..., n, m) and (..., m, p), got "
                f"{a.shape} and {b.shape}."
            ) from None
        # Room for the products before they are summed over broadcast axes.
        self.work_a = _room(lead, a)
        self.work_b = _room(lead, b)
        return xp.empty((*lead, a.shape[-2], b.shape[-1]), a.dtype)

    def forward(self, a: Array, b: Array, out: Array) -> None:
        """Write the product."""
        self.a, self.b = a, b
        xp.matmul(a, b, out)

    def backward(self, grad: Array, da: Array | None, db: Array | None) -> None:
        """Multiply with the other side, transposed."""
        if da is not None:
            _product(grad, self.b.swapaxes(-1, -2), self.work_a, da)
        if db is not None:
            _product(self.a.swapaxes(-1, -2), grad, self.work_b, db)

    def flops(self, *arrays: Array) -> int:
        """Count a multiplication and an addition for each term: 2·n·m·p."""
        return int(2 * arrays[-1].size * arrays[0].shape[-1])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Single, batched and broadcast products."""
        shapes = [
            ((3, 4), (4, 2)),
            ((1, 4), (4, 1)),
            ((2, 3, 4), (2, 4, 2)),
            ((2, 3, 4), (4, 2)),
            ((2, 1, 3, 4), (5, 4, 2)),
        ]
        for left, right in shapes:
            yield Case(cls(), (rng.normal(size=left), rng.normal(size=right)))


def _room(lead: tuple[int, ...], array: Array) -> Array | None:
    if array.shape[:-2] == lead:
        return None
    return xp.empty((*lead, *array.shape[-2:]), array.dtype)


def _product(left: Array, right: Array, work: Array | None, out: Array) -> None:
    if work is None:
        xp.matmul(left, right, out)
        return
    xp.matmul(left, right, work)
    extra = work.ndim - out.ndim
    kept = out.reshape((1,) * extra + out.shape)
    axes = tuple(
        i for i in range(work.ndim - 2) if kept.shape[i] == 1 and work.shape[i] != 1
    )
    xp.add.reduce(work, axis=axes, out=kept, keepdims=True)


class Linear(Function, name="linear"):
    """y = x Wᵀ + b, the affine map of a dense layer.

    x (..., F), W (U, F), b (U,), optional → y (..., U); with the rows of x and of
    dL/dy stacked, dL/dx = dL/dy W, dL/dW = dL/dyᵀ x, dL/db = Σ dL/dy over the rows.
    The weight has PyTorch's orientation: one row an output unit.
    """

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
        units = weight.shape[0]
        self.ones = xp.ones(x.size // x.shape[-1], x.dtype)
        if x.ndim == 2:
            # With features first, everything that follows along the batch (adding the
            # bias, the maximum over classes) runs along contiguous memory.
            return xp.empty((units, x.shape[0]), x.dtype).T
        return xp.empty((*x.shape[:-1], units), x.dtype)

    def forward(self, x: Array, weight: Array, *rest: Array) -> None:
        """Write x Wᵀ + b: called as (x, weight, bias, out) or (x, weight, out)."""
        self.x, self.weight = x, weight
        out = rest[-1]
        xp.matmul(_rows(x), weight.T, _rows(out))
        if len(rest) == 2:
            xp.add(out, rest[0], out)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None = None,
    ) -> None:
        """Write the three products."""
        rows = _rows(grad)
        if dx is not None:
            xp.matmul(rows, self.weight, _rows(dx))
        if dweight is not None:
            xp.matmul(rows.T, _rows(self.x), dweight)
        if dbias is not None:
            # A product with ones is several times faster than a sum along axis 0.
            xp.dot(rows.T, self.ones, dbias)

    def flops(self, *arrays: Array) -> int:
        """Count the product's 2·N·F·U and the bias's N·U."""
        bias = arrays[-1].size if len(arrays) == 4 else 0
        return int(2 * arrays[-1].size * arrays[1].shape[1] + bias)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences; with and without bias."""
        for shape in ((1, 3), (5, 3), (2, 4, 3), (3,)):
            x, w, b = (rng.normal(size=s) for s in (shape, (2, 3), (2,)))
            yield Case(cls(), (x, w, b))
            yield Case(cls(), (x, w))


def _rows(array: Array) -> Array:
    """Return a view with all leading axes as one."""
    if array.ndim == 2:
        return array
    return array.reshape(-1, array.shape[-1])
