"""Softmax and its logarithm: scores to probabilities along the last axis."""

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
        _below_maximum(x, self.row, out)
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
        yield from _score_cases(cls, rng)


class LogSoftmax(Function, name="log_softmax"):
    """y_k = x_k − ln Σ_j e^(x_j) along the last axis: the logarithm of softmax.

    x (..., K) → y (..., K); dL/dx_k = dL/dy_k − e^(y_k)·Σ_j dL/dy_j. A probability
    that is 0 in floating-point numbers still has its logarithm here.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for one number a row."""
        self.row = xp.empty((*x.shape[:-1], 1), x.dtype)
        self.work = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write x − max x − ln Σ e^(x − max x)."""
        self.out = out
        _below_maximum(x, self.row, out)
        xp.exp(out, self.work)
        xp.add.reduce(self.work, axis=-1, out=self.row, keepdims=True)
        xp.log(self.row, self.row)
        xp.subtract(out, self.row, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Write g − e^y·Σ g."""
        xp.add.reduce(grad, axis=-1, out=self.row, keepdims=True)
        xp.exp(self.out, self.work)
        xp.multiply(self.work, self.row, self.work)
        xp.subtract(grad, self.work, dx)

    def flops(self, *arrays: Array) -> int:
        """Count maximum, difference, exponential, sum and difference."""
        return int(5 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart."""
        yield from _score_cases(cls, rng)


class LogSumExp(Function, name="logsumexp"):
    """y = ln Σ_j e^(x_j) along the last axis: a smooth maximum.

    x (..., K) → y (...); dL/dx_k = dL/dy·e^(x_k − y), which is softmax. Uses
    y = m + ln Σ_j e^(x_j − m) with m the maximum.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and a workspace."""
        self.row = xp.empty((*x.shape[:-1], 1), x.dtype)
        self.work = xp.empty_like(x)
        return xp.empty(x.shape[:-1], x.dtype)

    def forward(self, x: Array, out: Array) -> None:
        """Write m + ln Σ e^(x − m), and keep the exponentials and their sum."""
        total = out[..., None]
        _below_maximum(x, self.row, self.work)
        xp.exp(self.work, self.work)
        xp.add.reduce(self.work, axis=-1, out=total, keepdims=True)
        # The derivative needs the quotients, the value the logarithm of the sum.
        xp.divide(self.work, total, self.work)
        xp.log(total, total)
        xp.add(total, self.row, total)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Write g·softmax(x)."""
        xp.multiply(self.work, grad[..., None], dx)

    def flops(self, *arrays: Array) -> int:
        """Count maximum, difference, exponential, sum and quotient."""
        return int(5 * arrays[0].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart."""
        yield from _score_cases(cls, rng)


def _below_maximum(x: Array, maximum: Array, out: Array) -> None:
    """Write each row's maximum, and x minus it: 0 at most."""
    xp.maximum.reduce(x, axis=-1, out=maximum, keepdims=True)
    # Scores at both ends of the floats are −∞ apart; the exponential of that is 0.
    with np.errstate(over="ignore"):
        xp.subtract(x, maximum, out)


def _score_cases(cls: type[Function], rng: np.random.Generator) -> Iterator[Case]:
    for shape, scale in (((1, 3), 1.0), ((4, 5), 3.0), ((2, 3, 4), 1.0)):
        yield Case(cls(), (rng.normal(0, scale, shape),))
