"""What one vector says of a sequence whose row has a length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import Case, Function
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError


class OverTime(Function):
    """Base of functions of x (N, T, F) and lengths (N,) that give y (N, F).

    Steps from a row's length on count nothing; a row of length 0 gives 0.
    """

    differentiable = (True, False)
    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array, lengths: Array) -> Array:
        """Make what is computed of the lengths, and the output."""
        if x.ndim != 3 or lengths.shape != x.shape[:1]:
            raise ShapeError(
                f"{self.type_name}: expected inputs (N, T, F) and lengths (N,), got "
                f"{x.shape} and {lengths.shape}."
            )
        n, t, f = x.shape
        self.reserve(n, t, x.dtype)
        return xp.empty((n, f), x.dtype)

    def reserve(self, n: int, t: int, dtype: np.dtype[np.generic]) -> None:
        """Make arrays for what ``forward`` leaves to ``backward``."""
        raise NotImplementedError

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Full rows, shorter and empty ones, a single step."""
        for t, lengths in ((3, [3, 3]), (4, [2, 0, 4, 1]), (1, [1])):
            x = rng.normal(size=(len(lengths), t, 2))
            yield Case(cls(), (x, np.array(lengths)))


class LastStep(OverTime, name="last_step"):
    """y_n = x_n,l−1 with l the row's length; dL/dx is dL/dy there, else 0."""

    def reserve(self, n: int, t: int, dtype: np.dtype[np.generic]) -> None:
        self.first = xp.arange(n) * t
        self.last = xp.empty(n, xp.int64)
        self.empty = xp.empty((n, 1), bool)

    def forward(self, x: Array, lengths: Array, out: Array) -> None:
        """Take rows of the matrix of all steps."""
        xp.less(lengths, 1, out=self.empty[:, 0])
        xp.subtract(lengths, 1, out=self.last)
        xp.maximum(self.last, 0, out=self.last)
        xp.add(self.last, self.first, out=self.last)
        # Out of bounds is no length that a tensor has; to look costs a copy.
        xp.take(x.reshape(-1, x.shape[2]), self.last, axis=0, out=out, mode="clip")
        xp.copyto(out, 0, where=self.empty)

    def backward(self, grad: Array, dx: Array, _: Array | None) -> None:
        g = scratch(form(grad.shape, grad.dtype))
        xp.copyto(g, grad)
        xp.copyto(g, 0, where=self.empty)
        dx.fill(0)
        dx.reshape(-1, dx.shape[2])[self.last] = g


class MeanOverTime(OverTime, name="mean_over_time"):
    """y_n = Σ_t<l x_n,t / l with l the row's length; dL/dx = dL/dy / l for t < l."""

    def reserve(self, n: int, t: int, dtype: np.dtype[np.generic]) -> None:
        self.steps = xp.arange(t)
        self.share = xp.empty((n, 1), dtype)
        self.shares = xp.empty((n, t), dtype)

    def forward(self, x: Array, lengths: Array, out: Array) -> None:
        """Multiply by shares: 1 / l for each step that counts."""
        xp.maximum(lengths, 1, out=self.share[:, 0])
        xp.divide(1, self.share, out=self.share)
        xp.less(self.steps, lengths[:, None], out=self.shares)
        xp.multiply(self.shares, self.share, out=self.shares)
        xp.matmul(self.shares[:, None], x, out=out[:, None])

    def backward(self, grad: Array, dx: Array, _: Array | None) -> None:
        xp.multiply(self.shares[:, :, None], grad[:, None], out=dx)
