"""Reductions: sums, means, products, spreads and lengths along axes; running sums."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, axes_of, xp


class Reduction(Function):
    """Base of y = one number for all elements along some axes.

    Args:
        axis: Axis or axes to reduce; None for all.
        keepdims: Keep the reduced axes with length 1.

    Attributes:
        axes: The reduced axes, counted from 0.
        kept: The shape of the output with the reduced axes.
        count: How many elements are reduced to one.
        form: That of the input.
    """

    axis: int | Shape | None = None
    keepdims: bool = False

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        """Make the output in the reduced shape."""
        self.axes = axes_of(self.axis, x.ndim, self.type_name)
        self.kept = tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))
        left = tuple(n for i, n in enumerate(x.shape) if i not in self.axes)
        self.count = int(np.prod([x.shape[i] for i in self.axes], dtype=int))
        self.form = Form.of(x)
        return xp.empty(self.kept if self.keepdims else left, self.dtype_of(x))

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        """Return the type of the output."""
        return x.dtype

    def reduce(self, ufunc: np.ufunc, x: Array, out: Array) -> None:
        """Combine the elements along the axes, in the shape of the output."""
        ufunc.reduce(x, axis=self.axes, out=out, keepdims=out.ndim == x.ndim)

    def flops(self, *arrays: Sized) -> int:
        """Count one operation an input element."""
        return arrays[0].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """All axes, one, two, from the end, kept or not."""
        for axis in (None, 0, -1, (0, 2)):
            for keepdims in (False, True):
                function = cls(axis=axis, keepdims=keepdims)
                yield Case(function, (rng.normal(size=(2, 3, 4)),))


class Sum(Reduction, name="sum"):
    """y = Σ x along ``axis``; dL/dx = dL/dy at every summed element."""

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        """Return a type that is wide enough for integers and booleans."""
        return wide(x)

    def forward(self, x: Array, out: Array) -> None:
        self.reduce(xp.add, x, out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Copy each gradient to all the elements that were summed."""
        xp.copyto(dx, grad.reshape(self.kept))


class Mean(Sum, name="mean"):
    """y = Σ x / n along ``axis``; dL/dx = dL/dy / n at every averaged element."""

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        return x.dtype if x.dtype.kind == "f" else np.dtype(np.float32)

    def forward(self, x: Array, out: Array) -> None:
        super().forward(x, out)
        xp.divide(out, self.count, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        super().backward(grad, dx)
        xp.divide(dx, self.count, out=dx)


class Prod(Reduction, name="prod"):
    """y = Π x along ``axis``; dL/dx_i = dL/dy · Π x_j over all other j.

    That is dL/dy · y / x_i, but where an element is 0: then with the product of all
    that are not, for the only one that is.
    """

    saves_inputs = True

    def dtype_of(self, x: Array) -> np.dtype[np.generic]:
        return wide(x)

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        self.reduce(xp.multiply, x, out)

    def backward(self, grad: Array, dx: Array) -> None:
        product, zeros, factors, is_zero = scratches(
            form(self.kept, dx.dtype),
            form(self.kept, xp.int64),
            self.form,
            form(self.form.shape, bool, self.form.order),
        )
        xp.equal(self.x, 0, out=is_zero)
        self.reduce(xp.add, is_zero, zeros)
        xp.copyto(factors, self.x)
        xp.copyto(factors, 1, where=is_zero)
        self.reduce(xp.multiply, factors, product)
        xp.multiply(product, grad.reshape(self.kept), out=product)
        xp.divide(product, factors, out=dx)
        # Where there are more zeros than this element itself is.
        xp.greater(zeros, is_zero, out=is_zero)
        xp.copyto(dx, 0, where=is_zero)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Besides what every reduction is tried with, rows with one zero and two."""
        yield from super().cases(rng)
        x = rng.normal(size=(3, 4))
        x[0, 1] = x[1, 0] = x[1, 2] = 0
        yield Case(cls(-1), (x,))


class CumSum(Function, name="cumsum"):
    """y_i = Σ_{j ≤ i} x_j along ``axis``; dL/dx_j = Σ_{i ≥ j} dL/dy_i.

    Args:
        axis: The axis to add up along.
    """

    axis: int = 0

    layout = "any"
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        """Make the output, in a type that is wide enough."""
        (self.along,) = axes_of(self.axis, x.ndim, self.type_name)
        self.backwards = (slice(None),) * self.along + (slice(None, None, -1),)
        return form(x.shape, wide(x), Form.of(x).order).empty()

    def forward(self, x: Array, out: Array) -> None:
        xp.add.accumulate(x, axis=self.along, dtype=out.dtype, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Add up from the end to the beginning."""
        grad, dx = grad[self.backwards], dx[self.backwards]
        xp.add.accumulate(grad, axis=self.along, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Along each axis."""
        for axis in (0, 1, -1):
            yield Case(cls(axis), (rng.normal(size=(2, 3, 4)),))


class Var(Reduction, name="var"):
    """y = Σ (x − μ)² / (n − c) with μ = Σ x / n along ``axis``.

    dL/dx = dL/dy · 2(x − μ) / (n − c).

    Args:
        correction: c: 1 for the variance that a sample shows of where it came from,
            0 for that of the numbers themselves.
    """

    correction: float = 1

    real = True
    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        self.divisor = max(self.count - self.correction, 0)
        self.row = form(self.kept, x.dtype)
        self.mask = form(self.kept, bool)
        return out

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        difference, mean = scratches(self.form, self.row)
        self.centre(mean, difference)
        xp.multiply(difference, difference, out=difference)
        self.reduce(xp.add, difference, out)
        xp.divide(out, self.divisor, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        difference, row, mask = scratches(self.form, self.row, self.mask)
        self.centre(row, difference)
        self.slope(grad.reshape(self.kept), mask, row)
        xp.multiply(row, 2, out=row)
        xp.divide(row, self.divisor, out=row)
        xp.multiply(difference, row, out=dx)

    def centre(self, mean: Array, out: Array) -> None:
        """Write μ, and x − μ."""
        self.reduce(xp.add, self.x, mean)
        xp.divide(mean, self.count, out=mean)
        xp.subtract(self.x, mean, out=out)

    def slope(self, grad: Array, mask: Array, out: Array) -> None:
        """Write the objective's derivative by the variance."""
        xp.copyto(out, grad)

    def flops(self, *arrays: Sized) -> int:
        """Count a sum, a difference, a square and a sum an element."""
        return 4 * arrays[0].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Besides what every reduction is tried with, other corrections."""
        yield from super().cases(rng)
        for correction in (0, 2):
            yield Case(cls(-1, False, correction), (rng.normal(size=(2, 4)),))


class Std(Var, name="std"):
    """y = √v, v the variance along ``axis``; dL/dx = dL/dv · dv/dx, dL/dv = dL/dy / 2y.

    Where y = 0, the derivative is 0, as in PyTorch.
    """

    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        super().forward(x, out)
        xp.sqrt(out, out=out)

    def slope(self, grad: Array, mask: Array, out: Array) -> None:
        _divide(grad, self.out.reshape(self.kept), mask, out)
        xp.multiply(out, 0.5, out=out)


class Norm(Reduction, name="norm"):
    """y = √Σ x², the length of a vector; dL/dx = dL/dy · x / y (0 where y = 0)."""

    real = True
    saves_inputs = True
    saves_output = True

    def forward(self, x: Array, out: Array) -> None:
        self.x, self.out = x, out
        square = scratch(self.form)
        xp.multiply(x, x, out=square)
        self.reduce(xp.add, square, out)
        xp.sqrt(out, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        share, mask = scratches(form(self.kept, dx.dtype), form(self.kept, bool))
        y = self.out.reshape(self.kept)
        _divide(grad.reshape(self.kept), y, mask, share)
        xp.multiply(self.x, share, out=dx)


def _divide(a: Array, b: Array, mask: Array, out: Array) -> None:
    """Write a / b, but 0 where b = 0."""
    xp.divide(a, b, out=out)
    xp.equal(b, 0, out=mask)
    xp.copyto(out, 0, where=mask)


def wide(x: Array) -> np.dtype[np.generic]:
    """Return a type for sums and products: int64 for integers and booleans."""
    return x.dtype if x.dtype.kind == "f" else np.dtype(np.int64)
