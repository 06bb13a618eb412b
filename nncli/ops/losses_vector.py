"""Losses between vectors: one number for each vector along the last axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case
from nncli.backend import Array, Shape, xp
from nncli.ops.losses import Elementwise, vary


class Vectors(Elementwise):
    """Base of losses with workspaces of one number a vector; see Elementwise."""

    of_vectors = True

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for one number a vector, thrice."""
        rows: Shape = (*outputs.shape[:-1], 1)
        self.row: Array = xp.empty(rows, outputs.dtype)
        self.row2: Array = xp.empty(rows, outputs.dtype)
        self.row3: Array = xp.empty(rows, outputs.dtype)
        return super().allocate(outputs, targets, *weights)

    def dot(self, a: Array, b: Array, out: Array) -> None:
        """Write Σ_k a_k·b_k of every vector, by way of ``work``."""
        xp.multiply(a, b, self.work)
        xp.add.reduce(self.work, axis=-1, out=out, keepdims=True)


def _t_log_t(t: Array, out: Array) -> None:
    """Write t·ln t, 0 where t is 0."""
    xp.maximum(t, xp.finfo(t.dtype).tiny, out=out)
    xp.log(out, out)
    xp.multiply(out, t, out)


class KLDivergence(Vectors, name="kl_divergence"):
    """y = Σ_i Σ_k t_ik·(ln t_ik − ln p_ik) / N, from distributions p and t (N, K).

    dL/dp = −dL/dy · t/p / N. Where t is 0 nothing is added. As in PyTorch's binary
    cross entropy, ln p counts at least −100 and p at least 1e-12. Kullback and
    Leibler 1951.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write t·ln t − t·ln p."""
        self.p, self.t = x, t
        with xp.errstate(divide="ignore"):
            xp.log(x, self.work)
        xp.maximum(self.work, -100, out=self.work)
        xp.multiply(self.work, t, self.work)
        _t_log_t(t, self.work2)
        return xp.subtract(self.work2, self.work, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write −t/p."""
        xp.maximum(self.p, 1e-12, out=self.work)
        xp.divide(self.t, self.work, self.work)
        xp.multiply(self.work, -scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Soft targets, one-hot ones, and sequences."""
        for shape in ((1, 2), (4, 3), (2, 3, 4)):
            k = shape[-1]
            p, t = rng.dirichlet(np.ones(k), (2, *shape[:-1])) * 0.9 + 0.1 / k
            yield from vary([cls(), cls("sum"), cls()], rng, p, t)
            yield Case(cls(), (p, np.eye(k)[np.argmax(t, -1)]), constant=(1,))


class SoftmaxKLDivergence(Vectors, name="softmax_kl_divergence"):
    """y = Σ_i Σ_k t_ik·(ln t_ik − ln softmax(z_i)_k) / N, from logits z (N, K).

    dL/dz_ik = dL/dy · (softmax(z_i)_k·Σ_j t_ij − t_ik) / N. PyTorch's KLDivLoss with
    ``batchmean``, after log_softmax.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write t·ln t − t·(z − m − ln Σ e^(z − m))."""
        self.t = t
        xp.maximum.reduce(x, axis=-1, out=self.row, keepdims=True)
        xp.subtract(x, self.row, self.work)
        xp.exp(self.work, self.work2)
        xp.add.reduce(self.work2, axis=-1, out=self.row2, keepdims=True)
        xp.log(self.row2, self.row)
        xp.subtract(self.work, self.row, self.work)
        xp.multiply(self.work, t, self.work)
        _t_log_t(t, self.entropy)
        return xp.subtract(self.entropy, self.work, self.work)

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for t·ln t as well, since e^(z − m) is kept."""
        self.entropy = xp.empty_like(targets)
        return super().allocate(outputs, targets, *weights)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write softmax(z)·Σ t − t."""
        xp.add.reduce(self.t, axis=-1, out=self.row3, keepdims=True)
        xp.divide(self.row3, self.row2, self.row3)
        xp.multiply(self.work2, self.row3, dx)
        xp.subtract(dx, self.t, dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Soft targets, one-hot ones, sequences, and targets of another sum than 1."""
        for shape in ((1, 2), (4, 3), (2, 3, 4)):
            k = shape[-1]
            z, t = rng.normal(0, 2, shape), rng.dirichlet(np.ones(k), shape[:-1])
            yield from vary([cls(), cls("sum"), cls()], rng, z, t)
            yield Case(cls(), (z, np.eye(k)[np.argmax(t, -1)]), constant=(1,))
            yield Case(cls(), (z, 2 * t), constant=(1,))


class Cosine(Vectors, name="cosine"):
    """y = Σ_i (1 − cos(x_i, t_i)) / N, cos(x, t) = x·t / (|x|·|t|), of (N, F).

    With the unit vectors u of x and v of t: dl/dx = (u·cos − v)/|x|. As in PyTorch, a
    length counts at least 1e-8; where |x| is less than that, dl/dx = −v/1e-8 (PyTorch
    differentiates |x| even there). Vectors are divided by their largest element first,
    so that no square overflows.
    """

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for u and v."""
        self.u, self.v = xp.empty_like(outputs), xp.empty_like(targets)
        return super().allocate(outputs, targets, *weights)

    def values(self, x: Array, t: Array) -> Array:
        """Write 1 − u·v."""
        self.unit(t, self.v)
        # Last, since its 1/|x| in row3 is needed for the slopes.
        self.unit(x, self.u)
        self.dot(self.u, self.v, self.row)
        return xp.subtract(1, self.row, out=self.row2)

    def unit(self, x: Array, out: Array) -> None:
        """Write x/|x|, and 1/|x| to row3."""
        xp.abs(x, out)
        xp.maximum.reduce(out, axis=-1, out=self.row, keepdims=True)
        xp.maximum(self.row, xp.finfo(x.dtype).tiny, out=self.row)
        xp.divide(x, self.row, out)
        self.dot(out, out, self.row2)
        xp.sqrt(self.row2, self.row2)
        # At least 1, but for zeros, whose length counts 1e-8 in the end.
        xp.maximum(self.row2, 1, out=self.row2)
        xp.divide(1, self.row, out=self.row3)
        xp.divide(self.row3, self.row2, self.row3)
        xp.minimum(self.row3, 1e8, out=self.row3)
        xp.multiply(x, self.row3, out)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write (u·cos − v)/|x|."""
        xp.less(self.row3, 1e8, out=self.row2)
        xp.multiply(self.row2, self.row, self.row2)
        xp.multiply(self.u, self.row2, dx)
        xp.subtract(dx, self.v, dx)
        xp.multiply(dx, self.row3, dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Vectors, sequences of them, and single numbers, which are only signs."""
        for shape in ((1, 2), (4, 3), (2, 3, 4), (3, 1)):
            x, t = rng.normal(size=(2, *shape))
            yield from vary([cls(), cls("sum"), cls()], rng, x, t)
