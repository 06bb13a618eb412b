"""Losses between scores or probabilities and yes or no, element by element."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.elementwise import sigmoid
from nncli.ops.losses import Elementwise, vary


class Binary(Elementwise):
    """Base of binary cross entropies of targets t in [0, 1].

    l = −w·t·ln p − (1 − t)·ln(1 − p), with the factor w of the yeses, t being moved
    towards ½ first by label smoothing s: t·(1 − s) + s/2. The loss is the mean of l
    over all elements, each times the weight of its row.

    Args:
        label_smoothing: The share s of ½ in the targets, as in Keras.
        positive_weight: The factor w of the yeses, PyTorch's ``pos_weight``.
    """

    label_smoothing: float = 0.0
    positive_weight: float = 1.0

    def forms(self, element: Form) -> tuple[Form, ...]:
        return element, element, element

    def smooth(self, t: Array, out: Array) -> Array:
        """Return t·(1 − s) + s/2."""
        if not self.label_smoothing:
            return t
        xp.multiply(t, 1 - self.label_smoothing, out=out)
        return xp.add(out, self.label_smoothing / 2, out=out)


class SigmoidBinaryCrossEntropy(Binary, name="sigmoid_binary_cross_entropy"):
    """Cross entropy of targets t in [0, 1] with p = σ(z), from the logits z.

    l = (1 − t)·z + c·(ln(1 + e^−|z|) + max(−z, 0)) with c = 1 + (w − 1)·t, which
    equals −w·t·ln p − (1 − t)·ln(1 − p) and overflows nowhere;
    dl/dz = c·σ(z) − w·t. For t and w see Binary.
    """

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        work, other, smoothed = rooms
        t = self.smooth(t, smoothed)
        xp.abs(x, out=work)
        xp.negative(work, out=work)
        xp.exp(work, out=work)
        xp.log1p(work, out=work)
        if self.positive_weight == 1:
            # c = 1: max(z, 0) − z·t + ln(1 + e^−|z|)
            xp.maximum(x, 0, out=other)
            xp.add(work, other, out=work)
            xp.multiply(x, t, out=other)
            return xp.subtract(work, other, out=work)
        xp.minimum(x, 0, out=other)
        xp.subtract(work, other, out=work)
        self.yes_factor(t, other)
        xp.multiply(work, other, out=work)
        xp.subtract(1, t, out=other)
        xp.multiply(other, x, out=other)
        return xp.add(work, other, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write c·σ(z) − w·t."""
        work, other, smoothed = rooms
        t = self.smooth(t, smoothed)
        sigmoid(x, other, work)
        if self.positive_weight == 1:
            xp.subtract(work, t, out=work)
        else:
            self.yes_factor(t, other)
            xp.multiply(work, other, out=work)
            xp.multiply(t, self.positive_weight, out=other)
            xp.subtract(work, other, out=work)
        xp.multiply(work, scale, out=dx)

    def yes_factor(self, t: Array, out: Array) -> None:
        """Write c = 1 + (w − 1)·t."""
        xp.multiply(t, self.positive_weight - 1, out=out)
        xp.add(out, 1, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Hard and soft targets."""
        for shape in ((1, 1), (5, 1), (3, 4)):
            logits = rng.normal(0, 3, shape)
            hard = rng.integers(0, 2, shape).astype(logits.dtype)
            yield from vary([cls(), cls(0.1), cls(0.2, 3.0)], rng, logits, hard)
            soft = rng.uniform(size=shape)
            functions = [cls(), cls(0.0, 0.5, reduction="sum")]
            yield from vary(functions, rng, logits, soft)


class BinaryCrossEntropy(Binary, name="binary_cross_entropy"):
    """Cross entropy of targets t in [0, 1] with probabilities p.

    l = −w·t·ln p − (1 − t)·ln(1 − p); dl/dp = (p·(1 − t) − w·t·(1 − p)) / (p·(1 − p)).
    As in PyTorch, a logarithm counts at least −100 and p·(1 − p) at least 1e-12. For
    t and w see Binary.
    """

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        yes, no, smoothed = rooms
        t = self.smooth(t, smoothed)
        xp.log(x, out=yes)
        xp.negative(x, out=no)
        xp.log1p(no, out=no)
        xp.maximum(yes, -100, out=yes)
        xp.maximum(no, -100, out=no)
        if self.positive_weight != 1:
            xp.multiply(yes, self.positive_weight, out=yes)
        # t·a + (1 − t)·b = b + t·(a − b)
        xp.subtract(yes, no, out=yes)
        xp.multiply(yes, t, out=yes)
        xp.add(yes, no, out=yes)
        return xp.negative(yes, out=yes)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write (p·(1 − t) − w·t·(1 − p)) / (p·(1 − p))."""
        below, above, smoothed = rooms
        t = self.smooth(t, smoothed)
        xp.subtract(1, x, out=below)
        if self.positive_weight == 1:
            xp.subtract(x, t, out=above)
        else:
            xp.multiply(below, t, out=above)
            xp.multiply(above, -self.positive_weight, out=above)
            xp.subtract(1, t, out=dx)
            xp.multiply(dx, x, out=dx)
            xp.add(above, dx, out=above)
        xp.multiply(below, x, out=below)
        xp.maximum(below, 1e-12, out=below)
        xp.divide(above, below, out=above)
        xp.multiply(above, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Hard and soft targets."""
        for shape in ((1, 1), (3, 4)):
            p = rng.uniform(0.1, 0.9, shape)
            hard = rng.integers(0, 2, shape).astype(p.dtype)
            yield from vary([cls(), cls(0.1), cls(0.2, 3.0)], rng, p, hard)
            soft = rng.uniform(size=shape)
            functions = [cls(), cls(0.0, 0.5, reduction="sum")]
            yield from vary(functions, rng, p, soft)


class SigmoidFocal(Elementwise, name="sigmoid_focal"):
    """Cross entropy from logits z in which what is right already counts little.

    l = −α·t·(1 − p)^γ·ln p − (1 − α)·(1 − t)·p^γ·ln(1 − p) with p = σ(z).
    With A = −ln p = ln(1 + e^−z) and B = −ln(1 − p) = ln(1 + e^z):
    l = α·t·e^(−γB)·A + (1 − α)·(1 − t)·e^(−γA)·B, and dA/dz = p − 1, dB/dz = p, so
    dl/dz = (1 − α)·(1 − t)·e^(−γA)·(p + γ·(1 − p)·B)
    − α·t·e^(−γB)·(1 − p + γ·p·A). Nothing of it overflows.
    Lin et al. 2017, "Focal Loss for Dense Object Detection"; a target between 0 and 1
    counts both sides in proportion.

    Args:
        alpha: Factor of the yeses; 1 − alpha is that of the noes. None: both are 1.
        gamma: The exponent γ of focus; 0 is plain cross entropy.
    """

    alpha: float | None = 0.25
    gamma: float = 2.0

    def forms(self, element: Form) -> tuple[Form, ...]:
        return (element,) * 5

    @property
    def factors(self) -> tuple[float, float]:
        """Of the yeses and of the noes."""
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1 - self.alpha)

    def logarithms(self, z: Array, a: Array, b: Array) -> None:
        """Write A and B."""
        xp.logaddexp(z, 0, out=b)
        xp.negative(z, out=a)
        xp.logaddexp(a, 0, out=a)

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        a, b, yes, no, rest = rooms
        self.logarithms(x, a, b)
        self.focus(b, self.factors[0], yes)
        xp.multiply(yes, a, out=yes)
        xp.multiply(yes, t, out=yes)
        self.focus(a, self.factors[1], no)
        xp.multiply(no, b, out=no)
        xp.subtract(1, t, out=rest)
        xp.multiply(no, rest, out=no)
        return xp.add(yes, no, out=yes)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write the slope of the noes less that of the yeses."""
        a, b, yes, no, work = rooms
        self.logarithms(x, a, b)
        self.pull(a, b, self.factors[0], yes, work)
        xp.multiply(yes, t, out=yes)
        self.pull(b, a, self.factors[1], no, work)
        xp.subtract(1, t, out=work)
        xp.multiply(no, work, out=no)
        xp.subtract(no, yes, out=no)
        xp.multiply(no, scale, out=dx)

    def focus(self, logarithm: Array, factor: float, out: Array) -> None:
        """Write factor·e^(−γ·logarithm)."""
        xp.multiply(logarithm, -self.gamma, out=out)
        xp.exp(out, out=out)
        xp.multiply(out, factor, out=out)

    def pull(self, a: Array, b: Array, factor: float, out: Array, work: Array) -> None:
        """Write factor·e^(−γ·b)·(e^−b + γ·e^−a·a)."""
        xp.negative(a, out=out)
        xp.exp(out, out=out)
        xp.multiply(out, a, out=out)
        xp.multiply(out, self.gamma, out=out)
        xp.negative(b, out=work)
        xp.exp(work, out=work)
        xp.add(out, work, out=out)
        self.focus(b, factor, work)
        xp.multiply(out, work, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Exponents on both sides of 1, with and without alpha, hard and soft."""
        for shape in ((1, 1), (3, 4)):
            z, soft = rng.normal(0, 2, shape), rng.uniform(size=shape)
            hard = rng.integers(0, 2, shape).astype(z.dtype)
            summed = cls(0.7, 0.5, reduction="sum")
            functions = [cls(), cls(None, 0.0), summed, cls(0.4, 3.0)]
            yield from vary(functions, rng, z, hard)
            yield Case(cls(), (z, soft))


class Hinge(Elementwise, name="hinge"):
    """l = max(0, m − y·x) with y = 2·t − 1, from scores x and targets t in {0, 1}.

    dl/dx = −y where y·x < m, else 0. Cortes and Vapnik 1995, "Support-vector
    networks"; Keras's ``hinge`` for m = 1.

    Args:
        margin: How far on its side m a score has to be.
    """

    margin: float = 1.0

    def forms(self, element: Form) -> tuple[Form, ...]:
        return element, element, form(element.shape, bool, element.order)

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        """Write max(0, m − y·x) = max(0, m + x·(1 − 2·t))."""
        sign, work, _ = rooms
        xp.multiply(t, -2, out=sign)
        xp.add(sign, 1, out=sign)
        xp.multiply(sign, x, out=work)
        xp.add(work, self.margin, out=work)
        return xp.maximum(work, 0, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write −y where the loss is positive."""
        sign, work, positive = rooms
        xp.multiply(t, -2, out=sign)
        xp.add(sign, 1, out=sign)
        xp.multiply(sign, x, out=work)
        xp.add(work, self.margin, out=work)
        xp.greater(work, 0, out=positive)
        xp.multiply(sign, positive, out=dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both sides of the margin."""
        for shape, margin in (((1, 1), 1.0), ((6, 1), 0.5), ((3, 4), 2.0)):
            x = rng.normal(0, 2, shape)
            t = rng.integers(0, 2, shape).astype(x.dtype)
            functions = [cls(), cls(margin, reduction="sum"), cls(margin)]
            yield from vary(functions, rng, x, t)
