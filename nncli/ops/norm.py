"""Normalization: batch norm over the rows of a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, xp
from nncli.errors import ShapeError


class BatchNorm(Function, name="batch_norm"):
    """y = γ·x̂ + β with x̂ = (x − μ) / √(σ² + ε), statistics over the batch.

    x (N, F), γ (F,), β (F,) → y (N, F), with μ = Σ x / N and σ² = Σ (x − μ)² / N of
    each feature (Ioffe and Szegedy 2015, algorithm 1). With g = γ·dL/dy:
    dL/dx = (g − mean(g) − x̂·mean(g·x̂)) / √(σ² + ε),
    dL/dγ = Σ dL/dy·x̂, dL/dβ = Σ dL/dy.

    As in PyTorch, ε stands inside the root, and every forward pass moves the running
    statistics by r ← (1 − m)·r + m·batch, with the *unbiased* batch variance
    Σ (x − μ)² / (N − 1).

    Args:
        running_mean: (F,), overwritten by every forward pass.
        running_var: (F,), overwritten by every forward pass.
        momentum: The weight m of the newest batch.
        eps: The ε under the root.
    """

    whole_batch = True

    def __init__(
        self,
        running_mean: Array,
        running_var: Array,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> None:
        self.running_mean = running_mean
        self.running_var = running_var
        self.momentum = momentum
        self.eps = eps

    def allocate(self, x: Array, gamma: Array, beta: Array) -> Array:
        """Make the output, the normalized input and room for the statistics."""
        if x.ndim != 2 or x.shape[1] != gamma.size:
            raise ShapeError(
                f"batch_norm: expected inputs of shape (N, {gamma.size}), "
                f"got {x.shape}."
            )
        if x.shape[0] < 2:
            raise ShapeError(
                "batch_norm: expected at least 2 rows in a training batch, got 1: "
                "one row has no variance. Choose a batch size that leaves no single "
                "row over."
            )
        # A product with ones is the fastest sum over rows; it keeps (1, F).
        self.ones = xp.ones((1, x.shape[0]), x.dtype)
        self.normal: Array = xp.empty_like(x)
        self.work: Array = xp.empty_like(x)
        self.mean, self.var, self.root, self.row = (
            xp.empty((1, x.shape[1]), x.dtype) for _ in range(4)
        )
        return xp.empty_like(x)

    def forward(self, x: Array, gamma: Array, beta: Array, out: Array) -> None:
        """Normalize with the batch's statistics and move the running ones."""
        self.gamma = gamma
        rows = x.shape[0]
        self._row_mean(x, self.mean)
        xp.subtract(x, self.mean, self.normal)
        xp.multiply(self.normal, self.normal, self.work)
        self._row_mean(self.work, self.var)
        xp.add(self.var, self.eps, out=self.root)
        xp.sqrt(self.root, self.root)
        xp.divide(self.normal, self.root, self.normal)
        xp.multiply(self.normal, gamma, out)
        xp.add(out, beta, out)
        self._move(self.running_mean, self.mean, 1.0)
        self._move(self.running_var, self.var, rows / (rows - 1))

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None:
        """Write the three gradients."""
        xp.multiply(grad, self.normal, self.work)
        if dgamma is not None:
            xp.matmul(self.ones, self.work, dgamma.reshape(1, -1))
        if dbeta is not None:
            xp.matmul(self.ones, grad, dbeta.reshape(1, -1))
        if dx is not None:
            # γ is the same for all rows: factor γ/√(σ² + ε) out of the formula.
            self._row_mean(self.work, self.row)
            xp.multiply(self.normal, self.row, self.work)
            self._row_mean(grad, self.row)
            xp.subtract(grad, self.row, dx)
            xp.subtract(dx, self.work, dx)
            xp.divide(self.gamma, self.root, self.row)
            xp.multiply(dx, self.row, dx)

    def _row_mean(self, values: Array, out: Array) -> None:
        xp.matmul(self.ones, values, out)
        xp.divide(out, values.shape[0], out=out)

    def _move(self, running: Array, batch: Array, factor: float) -> None:
        """Write r ← (1 − m)·r + m·factor·batch."""
        xp.multiply(batch, self.momentum * factor, out=self.row)
        xp.multiply(running, 1 - self.momentum, out=running)
        xp.add(running, self.row[0], running)

    def flops(self, *arrays: Array) -> int:
        """Count about nine operations an element."""
        return int(9 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Two rows, and more; both momenta leave the value alone."""
        for rows, momentum in ((2, 0.1), (5, 0.1), (7, 0.9)):
            function = cls(xp.zeros(3), xp.ones(3), momentum, 1e-3)
            x = rng.normal(1.0, 2.0, (rows, 3))
            yield Case(function, (x, rng.normal(size=3), rng.normal(size=3)))
