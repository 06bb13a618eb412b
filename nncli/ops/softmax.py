"""Softmax and its logarithm: scores to probabilities along the last axis."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp

SHORT = 32
"""Rows of up to so many scores are turned, so that reductions run over many rows."""


class Scores(Function):
    """Base of functions of the K scores of each row.

    NumPy reduces along memory row by row, which takes longest where rows are short. So
    scores are computed with as a matrix whose axis ``self.axis`` has the K scores:
    (rows, K) where K is large, (K, rows) where it is small.
    """

    saves_inputs = False

    def allocate(self, x: Array) -> Array:
        """Make the output, in the order of ``x``."""
        classes = x.shape[-1]
        rows = self.rows = math.prod(x.shape[:-1])
        self.axis = 0 if classes <= SHORT else 1
        shape = (classes, rows) if self.axis == 0 else (rows, classes)
        single = (1, rows) if self.axis == 0 else (rows, 1)
        self.forms = form(shape, x.dtype), form(single, x.dtype)
        return Form.of(x).empty()

    def turned(self, array: Array) -> Array:
        """Return a view of (..., K) as a matrix with the K scores along ``axis``."""
        last = array.shape[-1]
        rows = array if array.ndim == 2 else array.reshape(self.rows, last)
        return rows.T if self.axis == 0 else rows

    def below_maximum(self, x: Array, row: Array, out: Array) -> None:
        """Write each row's maximum to ``row``, and x minus it: 0 at most."""
        xp.copyto(out, self.turned(x))
        self.maximum(out, row)
        xp.subtract(out, row, out=out)

    def maximum(self, x: Array, out: Array) -> None:
        """Write the maximum of each row; −∞ where there is nothing."""
        xp.maximum.reduce(x, axis=self.axis, out=out, keepdims=True, initial=-xp.inf)

    def sums(self, x: Array, out: Array) -> None:
        """Write the sum of each row."""
        xp.add.reduce(x, axis=self.axis, out=out, keepdims=True)

    def flops(self, *arrays: Sized) -> int:
        """Count maximum, difference, exponential, sum and quotient."""
        return 5 * arrays[0].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart, long rows."""
        for shape, scale in (
            ((1, 3), 1.0),
            ((4, 5), 3.0),
            ((2, 3, 4), 1.0),
            ((2, SHORT + 1), 1.0),
        ):
            yield Case(cls(), (rng.normal(0, scale, shape),))


class Softmax(Scores, name="softmax"):
    """y_k = e^(x_k) / Σ_j e^(x_j) along the last axis.

    x (..., K) → y (..., K); dL/dx_k = y_k·(dL/dy_k − Σ_j dL/dy_j·y_j). The maximum is
    subtracted first, which changes nothing and overflows nowhere.
    """

    def forward(self, x: Array, out: Array) -> None:
        """Write exponentials of x − max x, divided by their sum."""
        self.out = out
        scores, row = scratches(*self.forms)
        self.below_maximum(x, row, scores)
        xp.exp(scores, out=scores)
        self.sums(scores, row)
        xp.divide(1, row, out=row)
        xp.multiply(scores, row, out=self.turned(out))

    def backward(self, grad: Array, dx: Array) -> None:
        """Write y·(g − Σ g·y)."""
        work, row = scratches(*self.forms)
        g, y = self.turned(grad), self.turned(self.out)
        xp.multiply(g, y, out=work)
        self.sums(work, row)
        xp.subtract(g, row, out=work)
        xp.multiply(work, y, out=self.turned(dx))


class LogSoftmax(Scores, name="log_softmax"):
    """y_k = x_k − ln Σ_j e^(x_j) along the last axis: the logarithm of softmax.

    x (..., K) → y (..., K); dL/dx_k = dL/dy_k − e^(y_k)·Σ_j dL/dy_j. A probability
    that is 0 in floating-point numbers still has its logarithm here.
    """

    def forward(self, x: Array, out: Array) -> None:
        """Write x − max x − ln Σ e^(x − max x)."""
        self.out = out
        scores, row, total, work = scratches(*self.forms, self.forms[1], self.forms[0])
        self.below_maximum(x, row, scores)
        xp.exp(scores, out=work)
        self.sums(work, total)
        xp.log(total, out=total)
        xp.subtract(scores, total, out=self.turned(out))

    def backward(self, grad: Array, dx: Array) -> None:
        """Write g − e^y·Σ g."""
        work, row = scratches(*self.forms)
        g = self.turned(grad)
        xp.copyto(work, g)
        self.sums(work, row)
        xp.exp(self.turned(self.out), out=work)
        xp.multiply(work, row, out=work)
        xp.subtract(g, work, out=self.turned(dx))


class LogSumExp(Scores, name="logsumexp"):
    """y = ln Σ_j e^(x_j) along the last axis: a smooth maximum.

    x (..., K) → y (...); dL/dx_k = dL/dy·e^(x_k − y), which is softmax. Uses
    y = m + ln Σ_j e^(x_j − m) with m the maximum, or 0 where that is ±∞.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for softmax."""
        super().allocate(x)
        self.mask = form(self.forms[1].shape, bool)
        self.softmax = self.forms[0].empty()
        return xp.empty(x.shape[:-1], x.dtype)

    def forward(self, x: Array, out: Array) -> None:
        """Write m + ln Σ e^(x − m), and keep the exponentials, divided by their sum."""
        row, total, infinite = scratches(self.forms[1], self.forms[1], self.mask)
        xp.copyto(self.softmax, self.turned(x))
        self.maximum(self.softmax, row)
        xp.isinf(row, out=infinite)
        xp.copyto(row, 0, where=infinite)
        xp.subtract(self.softmax, row, out=self.softmax)
        xp.exp(self.softmax, out=self.softmax)
        self.sums(self.softmax, total)
        xp.divide(self.softmax, total, out=self.softmax)
        xp.log(total, out=total)
        xp.add(total, row, out=self.turned(out[..., None]))

    def backward(self, grad: Array, dx: Array) -> None:
        """Write g·softmax(x)."""
        g = self.turned(grad[..., None])
        xp.multiply(self.softmax, g, out=self.turned(dx))
