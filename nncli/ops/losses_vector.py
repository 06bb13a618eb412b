"""Losses between vectors: one number for each vector along the last axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, row_form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.losses import Elementwise, vary


class KLDivergence(Elementwise, name="kl_divergence"):
    """y = Σ_i Σ_k t_ik·(ln t_ik − ln p_ik) / N, from distributions p and t (N, K).

    dL/dp = −dL/dy · t/p / N. Where t is 0 nothing is added. As in PyTorch's binary
    cross entropy, ln p counts at least −100 and p at least 1e-12. Kullback and
    Leibler 1951.
    """

    of_vectors = True

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        """Write t·ln t − t·ln p."""
        cross, entropy = rooms
        xp.log(x, out=cross)
        xp.maximum(cross, -100, out=cross)
        xp.multiply(cross, t, out=cross)
        _t_log_t(t, entropy)
        return xp.subtract(entropy, cross, out=cross)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write −t/p."""
        xp.maximum(x, 1e-12, out=dx)
        xp.divide(t, dx, out=dx)
        xp.multiply(dx, -scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Soft targets, one-hot ones, and sequences."""
        for shape in ((1, 2), (4, 3), (2, 3, 4)):
            k = shape[-1]
            p, t = rng.dirichlet(np.ones(k), (2, *shape[:-1])) * 0.9 + 0.1 / k
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, p, t)
            yield Case(cls(), (p, np.eye(k)[np.argmax(t, -1)]))


class SoftmaxKLDivergence(Elementwise, name="softmax_kl_divergence"):
    """y = Σ_i Σ_k t_ik·(ln t_ik − ln softmax(z_i)_k) / N, from logits z (N, K).

    dL/dz_ik = dL/dy · (softmax(z_i)_k·Σ_j t_ij − t_ik) / N. PyTorch's KLDivLoss with
    ``batchmean``, after log_softmax.
    """

    of_vectors = True

    def forms(self, element: Form) -> tuple[Form, ...]:
        return element, element, row_form(element)

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        """Write t·ln t − t·(z − m − ln Σ e^(z − m))."""
        scores, work, row = rooms
        xp.maximum.reduce(x, axis=-1, out=row, keepdims=True)
        xp.subtract(x, row, out=scores)
        xp.exp(scores, out=work)
        xp.add.reduce(work, axis=-1, out=row, keepdims=True)
        xp.log(row, out=row)
        xp.subtract(scores, row, out=scores)
        xp.multiply(scores, t, out=scores)
        _t_log_t(t, work)
        return xp.subtract(work, scores, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write softmax(z)·Σ t − t."""
        _, _, row = rooms
        xp.maximum.reduce(x, axis=-1, out=row, keepdims=True)
        xp.subtract(x, row, out=dx)
        xp.exp(dx, out=dx)
        xp.add.reduce(dx, axis=-1, out=row, keepdims=True)
        xp.divide(dx, row, out=dx)
        xp.add.reduce(t, axis=-1, out=row, keepdims=True)
        xp.multiply(dx, row, out=dx)
        xp.subtract(dx, t, out=dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Soft targets, one-hot ones, sequences, and targets of another sum than 1."""
        for shape in ((1, 2), (4, 3), (2, 3, 4)):
            k = shape[-1]
            z, t = rng.normal(0, 2, shape), rng.dirichlet(np.ones(k), shape[:-1])
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, z, t)
            yield Case(cls(), (z, np.eye(k)[np.argmax(t, -1)]))
            yield Case(cls(), (z, 2 * t))


class Cosine(Elementwise, name="cosine"):
    """y = Σ_i (1 − cos(x_i, t_i)) / N, cos(x, t) = x·t / (|x|·|t|), of (N, F).

    With the unit vectors u of x and v of t: dl/dx = (u·cos − v)/|x|. As in PyTorch, a
    length counts at least 1e-8; where |x| is less than that, dl/dx = −v/1e-8 (PyTorch
    differentiates |x| even there). Vectors are divided by their largest element first,
    so that no square overflows.
    """

    of_vectors = True

    def forms(self, element: Form) -> tuple[Form, ...]:
        row = row_form(element)
        return element, element, element, row, row

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        """Write 1 − u·v."""
        u, v, work, row, inverse = rooms
        unit(t, v, work, row, inverse)
        unit(x, u, work, row, inverse)
        dot(u, v, work, row)
        return xp.subtract(1, row, out=row)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write (u·cos − v)/|x|."""
        u, v, work, row, inverse = rooms
        unit(t, v, work, row, inverse)
        # Last, since its 1/|x| is needed.
        unit(x, u, work, row, inverse)
        dot(u, v, work, row)
        # Where the length counts 1e-8, it does not depend on x.
        xp.multiply(u, row, out=u)
        xp.less(inverse, 1e8, out=row)
        xp.multiply(u, row, out=u)
        xp.subtract(u, v, out=u)
        xp.multiply(u, inverse, out=u)
        xp.multiply(u, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Vectors, sequences of them, and single numbers, which are only signs."""
        for shape in ((1, 2), (4, 3), (2, 3, 4), (3, 1)):
            x, t = rng.normal(size=(2, *shape))
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, x, t)


def unit(x: Array, out: Array, work: Array, row: Array, inverse: Array) -> None:
    """Write x/|x| of every vector to ``out``, and 1/|x| to ``inverse``."""
    xp.abs(x, out=out)
    xp.maximum.reduce(out, axis=-1, out=inverse, keepdims=True)
    xp.maximum(inverse, xp.finfo(x.dtype).tiny, out=inverse)
    xp.divide(x, inverse, out=out)
    dot(out, out, work, row)
    xp.sqrt(row, out=row)
    # At least 1, but for zeros, whose length counts 1e-8 in the end.
    xp.maximum(row, 1, out=row)
    xp.divide(1, inverse, out=inverse)
    xp.divide(inverse, row, out=inverse)
    xp.minimum(inverse, 1e8, out=inverse)
    xp.multiply(x, inverse, out=out)


def dot(a: Array, b: Array, work: Array, out: Array) -> None:
    """Write Σ_k a_k·b_k of every vector, by way of ``work``."""
    xp.multiply(a, b, out=work)
    xp.add.reduce(work, axis=-1, out=out, keepdims=True)


def _t_log_t(t: Array, out: Array) -> None:
    """Write t·ln t, 0 where t is 0."""
    xp.maximum(t, xp.finfo(t.dtype).tiny, out=out)
    xp.log(out, out=out)
    xp.multiply(out, t, out=out)
