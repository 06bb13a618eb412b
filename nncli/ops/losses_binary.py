"""Losses between scores or probabilities and yes or no, element by element."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case
from nncli.backend import Array, xp
from nncli.ops.elementwise import sigmoid
from nncli.ops.losses import Elementwise, Reduction, vary


class Binary(Elementwise):
    """Base of binary cross entropies of targets t in [0, 1].

    l = −w·t·ln p − (1 − t)·ln(1 − p), t being moved towards ½ first:
    t·(1 − s) + s/2.

    Args:
        label_smoothing: The share s of ½ in the targets, as in Keras.
        positive_weight: The factor w of the yeses, PyTorch's ``pos_weight``.
        reduction: See Elementwise.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        positive_weight: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        self.label_smoothing = label_smoothing
        self.positive_weight = positive_weight
        super().__init__(reduction)

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for smoothed targets, if they are smoothed."""
        if self.label_smoothing:
            self.smoothed = xp.empty_like(targets)
        return super().allocate(outputs, targets, *weights)

    def smooth(self, t: Array) -> Array:
        """Return t·(1 − s) + s/2."""
        if not self.label_smoothing:
            return t
        xp.multiply(t, 1 - self.label_smoothing, out=self.smoothed)
        return xp.add(self.smoothed, self.label_smoothing / 2, out=self.smoothed)


class SigmoidBinaryCrossEntropy(Binary, name="sigmoid_binary_cross_entropy"):
    """Cross entropy of targets t in [0, 1] with p = σ(z), from the logits z.

    l = (1 − t)·z + c·(ln(1 + e^−|z|) + max(−z, 0)) with c = 1 + (w − 1)·t, which
    equals −w·t·ln p − (1 − t)·ln(1 − p) and overflows nowhere;
    dl/dz = c·σ(z) − w·t. See Binary for its arguments.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write l."""
        self.logits, self.targets = x, self.smooth(t)
        xp.abs(x, self.work)
        xp.negative(self.work, self.work)
        xp.exp(self.work, self.work)
        xp.log1p(self.work, self.work)
        if self.positive_weight == 1:
            # c = 1: max(z, 0) − z·t + ln(1 + e^−|z|)
            xp.maximum(x, 0, out=self.work2)
            xp.add(self.work, self.work2, self.work)
            xp.multiply(x, self.targets, self.work2)
            return xp.subtract(self.work, self.work2, self.work)
        xp.minimum(x, 0, out=self.work2)
        xp.subtract(self.work, self.work2, self.work)
        self.yes_factor(self.work2)
        xp.multiply(self.work, self.work2, self.work)
        xp.subtract(1, self.targets, out=self.work2)
        xp.multiply(self.work2, x, self.work2)
        return xp.add(self.work, self.work2, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write c·σ(z) − w·t."""
        sigmoid(self.logits, self.work2, self.work)
        if self.positive_weight == 1:
            xp.subtract(self.work, self.targets, self.work)
        else:
            self.yes_factor(self.work2)
            xp.multiply(self.work, self.work2, self.work)
            xp.multiply(self.targets, self.positive_weight, out=self.work2)
            xp.subtract(self.work, self.work2, self.work)
        xp.multiply(self.work, scale, out=dx)

    def yes_factor(self, out: Array) -> None:
        """Write c = 1 + (w − 1)·t."""
        xp.multiply(self.targets, self.positive_weight - 1, out=out)
        xp.add(out, 1, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Hard and soft targets."""
        for shape in ((1, 1), (5, 1), (3, 4)):
            logits = rng.normal(0, 3, shape)
            hard = rng.integers(0, 2, shape).astype(logits.dtype)
            yield from vary([cls(), cls(0.1), cls(0.2, 3.0)], rng, logits, hard)
            soft = rng.uniform(size=shape)
            yield from vary([cls(), cls(0.0, 0.5, "sum")], rng, logits, soft)


class BinaryCrossEntropy(Binary, name="binary_cross_entropy"):
    """Cross entropy of targets t in [0, 1] with probabilities p.

    l = −w·t·ln p − (1 − t)·ln(1 − p); dl/dp = (p·(1 − t) − w·t·(1 − p)) / (p·(1 − p)).
    As in PyTorch, a logarithm counts at least −100 and p·(1 − p) at least 1e-12. See
    Binary for its arguments.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write l."""
        self.probabilities, self.targets = x, self.smooth(t)
        with xp.errstate(divide="ignore"):
            xp.log(x, self.work)
            xp.negative(x, self.work2)
            xp.log1p(self.work2, self.work2)
        xp.maximum(self.work, -100, out=self.work)
        xp.maximum(self.work2, -100, out=self.work2)
        if self.positive_weight != 1:
            xp.multiply(self.work, self.positive_weight, out=self.work)
        # t·a + (1 − t)·b = b + t·(a − b)
        xp.subtract(self.work, self.work2, self.work)
        xp.multiply(self.work, self.targets, self.work)
        xp.add(self.work, self.work2, self.work)
        return xp.negative(self.work, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write (p·(1 − t) − w·t·(1 − p)) / (p·(1 − p))."""
        p, t = self.probabilities, self.targets
        xp.subtract(1, p, out=self.work)
        if self.positive_weight == 1:
            xp.subtract(p, t, self.work2)
        else:
            xp.multiply(self.work, t, self.work2)
            xp.multiply(self.work2, -self.positive_weight, out=self.work2)
            xp.subtract(1, t, out=dx)
            xp.multiply(dx, p, dx)
            xp.add(self.work2, dx, self.work2)
        xp.multiply(self.work, p, self.work)
        xp.maximum(self.work, 1e-12, out=self.work)
        xp.divide(self.work2, self.work, self.work2)
        xp.multiply(self.work2, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Hard and soft targets."""
        for shape in ((1, 1), (3, 4)):
            p = rng.uniform(0.1, 0.9, shape)
            hard = rng.integers(0, 2, shape).astype(p.dtype)
            yield from vary([cls(), cls(0.1), cls(0.2, 3.0)], rng, p, hard)
            soft = rng.uniform(size=shape)
            yield from vary([cls(), cls(0.0, 0.5, "sum")], rng, p, soft)


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
        reduction: See Elementwise.
    """

    def __init__(
        self,
        alpha: float | None = 0.25,
        gamma: float = 2.0,
        reduction: Reduction = "mean",
    ) -> None:
        self.alpha = alpha
        self.gamma = gamma
        self.yes, self.no = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
        super().__init__(reduction)

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for A, B and 1 − t as well."""
        self.a, self.b, self.rest = (xp.empty_like(outputs) for _ in range(3))
        return super().allocate(outputs, targets, *weights)

    def values(self, x: Array, t: Array) -> Array:
        """Write l."""
        self.targets = t
        xp.subtract(1, t, out=self.rest)
        xp.logaddexp(x, 0, out=self.b)
        xp.negative(x, self.a)
        xp.logaddexp(self.a, 0, out=self.a)
        self.focus(self.b, self.yes, self.work)
        xp.multiply(self.work, self.a, self.work)
        xp.multiply(self.work, t, self.work)
        self.focus(self.a, self.no, self.work2)
        xp.multiply(self.work2, self.b, self.work2)
        xp.multiply(self.work2, self.rest, self.work2)
        return xp.add(self.work, self.work2, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write the slope of the noes less that of the yeses."""
        self.pull(self.a, self.b, self.yes, self.work2)
        xp.multiply(self.work2, self.targets, self.work2)
        self.pull(self.b, self.a, self.no, dx)
        xp.multiply(dx, self.rest, dx)
        xp.subtract(dx, self.work2, dx)
        xp.multiply(dx, scale, out=dx)

    def focus(self, logarithm: Array, factor: float, out: Array) -> None:
        """Write factor·e^(−γ·logarithm)."""
        xp.multiply(logarithm, -self.gamma, out=out)
        xp.exp(out, out)
        xp.multiply(out, factor, out=out)

    def pull(self, a: Array, b: Array, factor: float, out: Array) -> None:
        """Write factor·e^(−γ·b)·(e^−b + γ·e^−a·a)."""
        xp.negative(a, out)
        xp.exp(out, out)
        xp.multiply(out, a, out)
        xp.multiply(out, self.gamma, out=out)
        xp.negative(b, self.work)
        xp.exp(self.work, self.work)
        xp.add(out, self.work, out)
        self.focus(b, factor, self.work)
        xp.multiply(out, self.work, out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Exponents on both sides of 1, with and without alpha, hard and soft."""
        for shape in ((1, 1), (3, 4)):
            z, soft = rng.normal(0, 2, shape), rng.uniform(size=shape)
            hard = rng.integers(0, 2, shape).astype(z.dtype)
            functions = [cls(), cls(None, 0.0), cls(0.7, 0.5, "sum"), cls(0.4, 3.0)]
            yield from vary(functions, rng, z, hard)
            yield Case(cls(), (z, soft), constant=(1,))


class Hinge(Elementwise, name="hinge"):
    """l = max(0, m − y·x) with y = 2·t − 1, from scores x and targets t in {0, 1}.

    dl/dx = −y where y·x < m, else 0. Cortes and Vapnik 1995, "Support-vector
    networks"; Keras's ``hinge`` for m = 1.

    Args:
        margin: How far on its side m a score has to be.
        reduction: See Elementwise.
    """

    def __init__(self, margin: float = 1.0, reduction: Reduction = "mean") -> None:
        self.margin = margin
        super().__init__(reduction)

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for the mask."""
        self.mask = xp.empty_like(outputs, dtype=bool)
        return super().allocate(outputs, targets, *weights)

    def values(self, x: Array, t: Array) -> Array:
        """Write max(0, m − y·x) = max(0, m + x·(1 − 2·t))."""
        xp.multiply(t, -2, out=self.work)
        xp.add(self.work, 1, out=self.work)
        xp.multiply(self.work, x, self.work2)
        xp.add(self.work2, self.margin, out=self.work2)
        xp.greater(self.work2, 0, self.mask)
        return xp.maximum(self.work2, 0, out=self.work2)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write −y where the loss is positive."""
        xp.multiply(self.work, self.mask, dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Both sides of the margin."""
        for shape, margin in (((1, 1), 1.0), ((6, 1), 0.5), ((3, 4), 2.0)):
            x = rng.normal(0, 2, shape)
            t = rng.integers(0, 2, shape).astype(x.dtype)
            yield from vary([cls(), cls(margin, "sum"), cls(margin)], rng, x, t)
