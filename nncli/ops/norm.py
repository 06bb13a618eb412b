"""Normalization: over the rows of a batch, or over the features of each row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError


class ByRow(Function):
    """Base of norms over the features of each row of x (..., F).

    Sums are products with ones, or with shares 1/F: NumPy's reductions of short rows
    are several times slower.

    Args:
        eps: The ε under the root.

    Attributes:
        normal: (rows, F) the normalized input x̂.
        inverse: (rows, 1) one over the root.
    """

    eps: float

    saves_inputs = (False, True, False)
    saves_output = False
    keeps_lengths = True

    def allocate(self, x: Array, gamma: Array, *beta: Array) -> Array:
        """Make the output, the normalized input and one number a row."""
        features = gamma.size
        if not x.ndim or x.shape[-1] != features:
            raise ShapeError(
                f"{self.type_name}: expected inputs of shape (..., {features}), got "
                f"{x.shape}."
            )
        rows = x.size // max(features, 1)
        self.share = xp.full(features, 1 / max(features, 1), x.dtype)
        self.scaled = xp.empty(features, x.dtype)
        self.ones = xp.ones(rows, x.dtype)
        self.matrix, self.column = (
            form((rows, features), x.dtype),
            form((rows,), x.dtype),
        )
        self.normal: Array = xp.empty((rows, features), x.dtype)
        self.inverse: Array = xp.empty((rows, 1), x.dtype)
        return xp.empty(x.shape, x.dtype)

    def rows(self, array: Array) -> Array:
        """Return (..., F) as a view with all leading axes as one."""
        return array if array.ndim == 2 else array.reshape(self.matrix.shape)

    def normalize(self) -> None:
        """Divide ``normal`` by the root of its mean square plus ε, row by row.

        A row whose squares overflow is infinitely long: its x̂ is 0.
        """
        inverse = self.inverse
        xp.vecdot(self.normal, self.normal, out=inverse[:, 0])
        xp.divide(inverse, len(self.share), out=inverse)
        xp.add(inverse, self.eps, out=inverse)
        xp.sqrt(inverse, out=inverse)
        xp.divide(1, inverse, out=inverse)
        xp.multiply(self.normal, inverse, out=self.normal)

    def flops(self, *arrays: Sized) -> int:
        """Count about seven operations an element."""
        return 7 * arrays[-1].size


class RmsNorm(ByRow, name="rms_norm"):
    """y = γ·x̂ with x̂ = x / r, r = √(mean(x²) + ε), along the last axis.

    x (..., F), γ (F,) → y (..., F). Zhang and Sennrich 2019, equation 4, with ε inside
    the root as in PyTorch's RMSNorm. With g = γ·dL/dy:
    dL/dx = (g − x̂·mean(g·x̂)) / r, dL/dγ = Σ dL/dy·x̂.
    """

    eps: float = 1e-6

    def forward(self, x: Array, gamma: Array, out: Array) -> None:
        self.gamma = gamma
        xp.copyto(self.normal, self.rows(x))
        self.normalize()
        xp.multiply(self.normal, gamma, out=self.rows(out))

    def backward(self, grad: Array, dx: Array | None, dgamma: Array | None) -> None:
        g, normal = self.rows(grad), self.normal
        work, mean = scratches(self.matrix, self.column)
        xp.multiply(g, normal, out=work)
        if dgamma is not None:
            xp.dot(self.ones, work, out=dgamma)
        if dx is not None:
            d = self.rows(dx)
            xp.dot(work, xp.multiply(self.gamma, self.share, out=self.scaled), out=mean)
            xp.multiply(normal, mean[:, None], out=work)
            xp.multiply(g, self.gamma, out=d)
            xp.subtract(d, work, out=d)
            xp.multiply(d, self.inverse, out=d)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, more axes, one feature; small and large ε."""
        for shape, eps in (((1, 3), 1e-6), ((5, 4), 0.5), ((2, 3, 4), 1e-6)):
            x = rng.normal(1.0, 2.0, shape)
            yield Case(cls(eps), (x, rng.normal(size=shape[-1])))
        yield Case(cls(0.1), (rng.normal(size=(3, 1)), rng.normal(size=1)))


class LayerNorm(ByRow, name="layer_norm"):
    """y = γ·x̂ + β with x̂ = (x − μ) / √(σ² + ε), statistics along the last axis.

    x (..., F), γ (F,), β (F,) → y (..., F), with μ = mean(x) and the biased variance
    σ² = mean((x − μ)²) of each row (Ba et al. 2016). With g = γ·dL/dy:
    dL/dx = (g − mean(g) − x̂·mean(g·x̂)) / √(σ² + ε),
    dL/dγ = Σ dL/dy·x̂, dL/dβ = Σ dL/dy.
    """

    eps: float = 1e-5

    def forward(self, x: Array, gamma: Array, beta: Array, out: Array) -> None:
        """Take away each row's mean, divide by its spread, scale and shift."""
        self.gamma = gamma
        rows, y, mean = self.rows(x), self.rows(out), scratch(self.column)
        xp.dot(rows, self.share, out=mean)
        xp.subtract(rows, mean[:, None], out=self.normal)
        self.normalize()
        xp.multiply(self.normal, gamma, out=y)
        xp.add(y, beta, out=y)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None:
        g, normal = self.rows(grad), self.normal
        work, mean = scratches(self.matrix, self.column)
        xp.multiply(g, normal, out=work)
        if dgamma is not None:
            xp.dot(self.ones, work, out=dgamma)
        if dbeta is not None:
            xp.dot(self.ones, g, out=dbeta)
        if dx is not None:
            # γ/F inside the products: γ·g is never written for its means alone.
            d, scaled = self.rows(dx), self.scaled
            xp.multiply(self.gamma, self.share, out=scaled)
            xp.dot(work, scaled, out=mean)
            xp.multiply(normal, mean[:, None], out=work)
            xp.dot(g, scaled, out=mean)
            xp.multiply(g, self.gamma, out=d)
            xp.subtract(d, mean[:, None], out=d)
            xp.subtract(d, work, out=d)
            xp.multiply(d, self.inverse, out=d)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, more axes; small and large ε."""
        for shape, eps in (((1, 3), 1e-5), ((5, 4), 0.5), ((2, 3, 4), 1e-5)):
            x = rng.normal(1.0, 2.0, shape)
            gamma, beta = rng.normal(size=(2, shape[-1]))
            yield Case(cls(eps), (x, gamma, beta))


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

    running_mean: Array
    running_var: Array
    momentum: float = 0.1
    eps: float = 1e-5

    layout = "any"
    saves_inputs = (False, True, False)
    saves_output = False

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
        self.form = Form.of(x)
        self.normal = self.form.empty()
        self.mean, self.var, self.root, self.row = (
            xp.empty((1, x.shape[1]), x.dtype) for _ in range(4)
        )
        return self.form.empty()

    def forward(self, x: Array, gamma: Array, beta: Array, out: Array) -> None:
        """Normalize with the batch's statistics and move the running ones."""
        self.gamma = gamma
        rows, work = x.shape[0], scratch(self.form)
        self._row_mean(x, self.mean)
        xp.subtract(x, self.mean, out=self.normal)
        xp.multiply(self.normal, self.normal, out=work)
        self._row_mean(work, self.var)
        xp.add(self.var, self.eps, out=self.root)
        xp.sqrt(self.root, out=self.root)
        xp.divide(self.normal, self.root, out=self.normal)
        xp.multiply(self.normal, gamma, out=out)
        xp.add(out, beta, out=out)
        self._move(self.running_mean, self.mean, 1.0)
        self._move(self.running_var, self.var, rows / (rows - 1))

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None:
        work = scratch(self.form)
        xp.multiply(grad, self.normal, out=work)
        if dgamma is not None:
            xp.matmul(self.ones, work, out=dgamma[None])
        if dbeta is not None:
            xp.matmul(self.ones, grad, out=dbeta[None])
        if dx is not None:
            # γ is the same for all rows: factor γ/√(σ² + ε) out of the formula.
            self._row_mean(work, self.row)
            xp.multiply(self.normal, self.row, out=work)
            self._row_mean(grad, self.row)
            xp.subtract(grad, self.row, out=dx)
            xp.subtract(dx, work, out=dx)
            xp.divide(self.gamma, self.root, out=self.row)
            xp.multiply(dx, self.row, out=dx)

    def _row_mean(self, values: Array, out: Array) -> None:
        xp.matmul(self.ones, values, out=out)
        xp.divide(out, values.shape[0], out=out)

    def _move(self, running: Array, batch: Array, factor: float) -> None:
        """Write r ← (1 − m)·r + m·factor·batch."""
        xp.multiply(batch, self.momentum * factor, out=self.row)
        xp.multiply(running, 1 - self.momentum, out=running)
        xp.add(running, self.row[0], out=running)

    def flops(self, *arrays: Sized) -> int:
        """Count about nine operations an element."""
        return 9 * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Two rows, and more; both momenta leave the value alone."""
        for rows, momentum in ((2, 0.1), (5, 0.1), (7, 0.9)):
            function = cls(xp.zeros(3), xp.ones(3), momentum, 1e-3)
            x = rng.normal(1.0, 2.0, (rows, 3))
            yield Case(function, (x, rng.normal(size=3), rng.normal(size=3)))
