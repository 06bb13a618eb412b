"""Softmax: scores to probabilities along the last axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, xp


class Softmax(Function, name="softmax"):
    """y_k = e^(x_k) / Σ_j e^(x_j) along the last axis.

    x (..., K) → y (..., K); dL/dx_k = y_k·(dL/dy_k − Σ_j dL/dy_j·y_j). The maximum is
    subtracted first, which changes nothing and overflows nowhere.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for one number a row."""
        self.row = xp.empty((*x.shape[:-1], 1), x.dtype)
        self.work = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write exponentials of x − max x, divided by their sum."""
        self.out = out
        xp.maximum.reduce(x, axis=-1, out=self.row, keepdims=True)
        xp.subtract(x, self.row, out)
        xp.exp(out, out)
        xp.add.reduce(out, axis=-1, out=self.row, keepdims=True)
        xp.divide(out, self.row, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Write y·(g − Σ g·y)."""
        xp.multiply(grad, self.out, self.work)
        xp.add.reduce(self.work, axis=-1, out=self.row, keepdims=True)
        xp.subtract(grad, self.row, self.work)
        xp.multiply(self.work, self.out, dx)

    def flops(self, *arrays: Array) -> int:
        """Count maximum, difference, exponential, sum and quotient."""
        return int(5 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart."""
        for shape, scale in (((1, 3), 1.0), ((4, 5), 3.0), ((2, 3, 4), 1.0)):
            yield Case(cls(), (rng.normal(0, scale, shape),))
