"""Normalization: over the rows of a batch, or over the features of each row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, xp
from nncli.errors import ShapeError


class RmsNorm(Function, name="rms_norm"):
    """y = γ·x̂ with x̂ = x / r, r = √(mean(x²) + ε), along the last axis.

    x (..., F), γ (F,) → y (..., F). Zhang and Sennrich 2019, equation 4, with ε inside
    the root as in PyTorch's RMSNorm. With g = γ·dL/dy:
    dL/dx = (g − x̂·mean(g·x̂)) / r, dL/dγ = Σ dL/dy·x̂.

    A row whose squares overflow is infinitely long: its x̂ is 0.

    Args:
        eps: The ε under the root.
    """

    def __init__(self, eps: float = 1e-6) -> None:
        self.eps = eps

    def allocate(self, x: Array, gamma: Array) -> Array:
        """Make the output, the normalized input and room for one number a row."""
        _check_features(x, gamma, self.type_name)
        self.normal, self.work = (xp.empty(x.shape, x.dtype) for _ in range(2))
        self.root, self.mean = (_column(x) for _ in range(2))
        return xp.empty(x.shape, x.dtype)

    def forward(self, x: Array, gamma: Array, out: Array) -> None:
        """Divide each row by its root mean square, and scale."""
        self.gamma = gamma
        with xp.errstate(over="ignore", invalid="ignore"):
            _root_mean_square(x, self.eps, self.work, self.root)
            xp.divide(x, self.root, self.normal)
            xp.multiply(self.normal, gamma, out)

    def backward(self, grad: Array, dx: Array | None, dgamma: Array | None) -> None:
        """Write both gradients."""
        if dgamma is not None:
            xp.multiply(grad, self.normal, self.work)
            _sum_rows(self.work, dgamma)
        if dx is not None:
            xp.multiply(grad, self.gamma, dx)
            xp.multiply(dx, self.normal, self.work)
            _mean_features(self.work, self.mean)
            xp.multiply(self.normal, self.mean, self.work)
            xp.subtract(dx, self.work, dx)
            xp.divide(dx, self.root, dx)

    def flops(self, *arrays: Array) -> int:
        """Count about four operations an element."""
        return int(4 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, more axes, one feature; small and large ε."""
        for shape, eps in (((1, 3), 1e-6), ((5, 4), 0.5), ((2, 3, 4), 1e-6)):
            x = rng.normal(1.0, 2.0, shape)
            yield Case(cls(eps), (x, rng.normal(size=shape[-1])))
        yield Case(cls(0.1), (rng.normal(size=(3, 1)), rng.normal(size=1)))


class LayerNorm(Function, name="layer_norm"):
    """y = γ·x̂ + β with x̂ = (x − μ) / √(σ² + ε), statistics along the last axis.

    x (..., F), γ (F,), β (F,) → y (..., F), with μ = mean(x) and the biased variance
    σ² = mean((x − μ)²) of each row (Ba et al. 2016). With g = γ·dL/dy:
    dL/dx = (g − mean(g) − x̂·mean(g·x̂)) / √(σ² + ε),
    dL/dγ = Σ dL/dy·x̂, dL/dβ = Σ dL/dy.

    A row whose squares overflow is infinitely spread: its x̂ is 0.

    Args:
        eps: The ε under the root.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        self.eps = eps

    def allocate(self, x: Array, gamma: Array, beta: Array) -> Array:
        """Make the output, the normalized input and room for one number a row."""
        _check_features(x, gamma, self.type_name)
        self.normal, self.work = (xp.empty(x.shape, x.dtype) for _ in range(2))
        self.root, self.mean = (_column(x) for _ in range(2))
        return xp.empty(x.shape, x.dtype)

    def forward(self, x: Array, gamma: Array, beta: Array, out: Array) -> None:
        """Take away each row's mean, divide by its spread, scale and shift."""
        self.gamma = gamma
        with xp.errstate(over="ignore", invalid="ignore"):
            _mean_features(x, self.mean)
            xp.subtract(x, self.mean, self.normal)
            _root_mean_square(self.normal, self.eps, self.work, self.root)
            xp.divide(self.normal, self.root, self.normal)
            xp.multiply(self.normal, gamma, out)
            xp.add(out, beta, out)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None:
        """Write the three gradients."""
        if dgamma is not None:
            xp.multiply(grad, self.normal, self.work)
            _sum_rows(self.work, dgamma)
        if dbeta is not None:
            _sum_rows(grad, dbeta)
        if dx is not None:
            xp.multiply(grad, self.gamma, dx)
            xp.multiply(dx, self.normal, self.work)
            _mean_features(self.work, self.mean)
            xp.multiply(self.normal, self.mean, self.work)
            _mean_features(dx, self.mean)
            xp.subtract(dx, self.mean, dx)
            xp.subtract(dx, self.work, dx)
            xp.divide(dx, self.root, dx)

    def flops(self, *arrays: Array) -> int:
        """Count about seven operations an element."""
        return int(7 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, more axes; small and large ε."""
        for shape, eps in (((1, 3), 1e-5), ((5, 4), 0.5), ((2, 3, 4), 1e-5)):
            x = rng.normal(1.0, 2.0, shape)
            gamma, beta = rng.normal(size=(2, shape[-1]))
            yield Case(cls(eps), (x, gamma, beta))


def _check_features(x: Array, gamma: Array, name: str) -> None:
    if not x.ndim or x.shape[-1] != gamma.size:
        raise ShapeError(
            f"{name}: expected inputs of shape (..., {gamma.size}), got {x.shape}."
        )


def _column(x: Array) -> Array:
    """Make room for one number a row."""
    return xp.empty((*x.shape[:-1], 1), x.dtype)


def _mean_features(x: Array, out: Array) -> None:
    """Write the mean along the last axis, which is kept with length 1."""
    xp.add.reduce(x, axis=-1, out=out, keepdims=True)
    xp.divide(out, x.shape[-1], out=out)


def _root_mean_square(x: Array, eps: float, work: Array, out: Array) -> None:
    """Write √(mean(x²) + ε) along the last axis."""
    xp.multiply(x, x, work)
    _mean_features(work, out)
    xp.add(out, eps, out=out)
    xp.sqrt(out, out)


def _sum_rows(x: Array, out: Array) -> None:
    """Write the sum along all axes but the last."""
    xp.add.reduce(x, axis=tuple(range(x.ndim - 1)), out=out)


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
