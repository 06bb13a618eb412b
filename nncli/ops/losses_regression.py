"""Losses between numbers, element by element."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case
from nncli.backend import Array, xp
from nncli.ops.losses import Elementwise, Reduction, vary


class MeanSquaredError(Elementwise, name="mse"):
    """y = Σ (x − t)² / n over all n elements; dl/dx = 2·(x − t)."""

    def values(self, x: Array, t: Array) -> Array:
        """Write (x − t)²."""
        xp.subtract(x, t, self.work)
        return xp.multiply(self.work, self.work, self.work2)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write 2·(x − t)."""
        xp.multiply(self.work, 2 * scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, one column, several, a sum, and weighted rows."""
        for shape in ((1, 3), (4, 1), (3, 2)):
            x, t = rng.normal(size=(2, *shape))
            yield from vary([cls(), cls("sum"), cls()], rng, x, t)


class MeanAbsoluteError(Elementwise, name="mae"):
    """y = Σ |x − t| / n; dl/dx = sign(x − t), 0 at x = t as in PyTorch's L1Loss."""

    def values(self, x: Array, t: Array) -> Array:
        """Write |x − t|."""
        xp.subtract(x, t, self.work)
        return xp.abs(self.work, self.work2)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write sign(x − t)."""
        xp.sign(self.work, dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, and several."""
        for shape in ((1, 3), (3, 2)):
            x, t = rng.normal(size=(2, *shape))
            yield from vary([cls(), cls("sum"), cls()], rng, x, t)


class Clipped(Elementwise):
    """Base of losses that are a parabola near 0 and straight lines beyond a limit.

    With d = x − t and h half of d clipped to [−limit, limit], the parabola d²/2 and
    the lines limit·(|d| − limit/2) are both 2·h·(d − h), with the slope 2·h.

    Args:
        limit: Where the parabola ends.
        factor: What to multiply by.
        reduction: See Elementwise.
    """

    def __init__(self, limit: float, factor: float, reduction: Reduction) -> None:
        self.limit = limit
        self.factor = 2 * factor
        super().__init__(reduction)

    def values(self, x: Array, t: Array) -> Array:
        """Write 2·h·(d − h)."""
        xp.subtract(x, t, self.work2)
        xp.clip(self.work2, -self.limit, self.limit, out=self.work)
        xp.multiply(self.work, 0.5, out=self.work)
        xp.subtract(self.work2, self.work, self.work2)
        xp.multiply(self.work2, self.work, self.work2)
        return xp.multiply(self.work2, self.factor, out=self.work2)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write 2·h."""
        xp.multiply(self.work, self.factor * scale, out=dx)


class Huber(Clipped, name="huber"):
    """y = Σ l(x − t) / n; l(d) = d²/2 for |d| <= δ, else δ·(|d| − δ/2).

    dl/dx is d clipped to [−δ, δ]. Huber 1964, "Robust estimation of a location
    parameter".

    Args:
        delta: Where the parabola ends.
        reduction: See Elementwise.
    """

    def __init__(self, delta: float = 1.0, reduction: Reduction = "mean") -> None:
        self.delta = delta
        super().__init__(delta, 1.0, reduction)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Differences on both sides of the limit."""
        for shape, delta in (((1, 3), 1.0), ((4, 3), 0.3), ((2, 3, 2), 2.0)):
            x, t = rng.normal(0, 1.5, (2, *shape))
            yield from vary([cls(delta), cls(delta, "sum"), cls(delta)], rng, x, t)


class SmoothL1(Clipped, name="smooth_l1"):
    """y = Σ l(x − t) / n; l(d) = d²/(2·β) for |d| < β, else |d| − β/2.

    dl/dx is d/β clipped to [−1, 1]. Girshick 2015, "Fast R-CNN", with β as in PyTorch;
    it is Huber's loss with δ = β, divided by β.

    Args:
        beta: Where the parabola ends.
        reduction: See Elementwise.
    """

    def __init__(self, beta: float = 1.0, reduction: Reduction = "mean") -> None:
        self.beta = beta
        super().__init__(beta, 1 / beta, reduction)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Differences on both sides of the limit."""
        for shape, beta in (((1, 3), 1.0), ((4, 3), 0.3), ((2, 3, 2), 2.0)):
            x, t = rng.normal(0, 1.5, (2, *shape))
            yield from vary([cls(beta), cls(beta, "sum"), cls(beta)], rng, x, t)


class LogCosh(Elementwise, name="log_cosh"):
    """y = Σ ln cosh(x − t) / n; dl/dx = tanh(x − t).

    With d = x − t: ln cosh d = |d| + ln(1 + (e^(−2·|d|) − 1)/2), which overflows
    nowhere and keeps its digits near 0. As in Keras.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write |d| + ln(1 + (e^(−2·|d|) − 1)/2)."""
        self.x, self.t = x, t
        xp.subtract(x, t, self.work)
        xp.abs(self.work, self.work)
        xp.multiply(self.work, -2, out=self.work2)
        xp.expm1(self.work2, self.work2)
        xp.multiply(self.work2, 0.5, out=self.work2)
        xp.log1p(self.work2, self.work2)
        return xp.add(self.work, self.work2, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write tanh d."""
        xp.subtract(self.x, self.t, dx)
        xp.tanh(dx, dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Near differences and far ones."""
        for shape, scale in (((1, 3), 0.1), ((4, 3), 1.0), ((2, 3, 2), 20.0)):
            x, t = rng.normal(0, scale, (2, *shape))
            yield from vary([cls(), cls("sum"), cls()], rng, x, t)


class Poisson(Elementwise, name="poisson"):
    """y = Σ (x − t·ln(x + 1e-8)) / n, from rates x > 0 and counts t.

    dl/dx = 1 − t/(x + 1e-8). −ln of the Poisson probability of t without ln t!, which
    does not depend on x: PyTorch's PoissonNLLLoss with log_input=False. A negative
    rate gives NaN.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write x − t·ln(x + ε)."""
        self.x, self.t = x, t
        xp.add(x, 1e-8, out=self.work)
        with xp.errstate(divide="ignore", invalid="ignore"):
            xp.log(self.work, self.work)
        xp.multiply(self.work, t, self.work)
        return xp.subtract(x, self.work, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write 1 − t/(x + ε)."""
        xp.add(self.x, 1e-8, out=self.work)
        xp.divide(self.t, self.work, self.work)
        xp.subtract(1, self.work, out=self.work)
        xp.multiply(self.work, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Counts, zero among them, and targets between."""
        for shape in ((1, 3), (4, 3)):
            rates, soft = rng.uniform(0.2, 4.0, (2, *shape))
            counts = rng.poisson(1.5, shape).astype(rates.dtype)
            yield from vary([cls(), cls("sum"), cls()], rng, rates, counts)
            yield Case(cls(), (rates, soft), constant=(1,))


class LogPoisson(Elementwise, name="log_poisson"):
    """y = Σ (e^x − t·x) / n, from logarithms x of rates and counts t.

    dl/dx = e^x − t. PyTorch's PoissonNLLLoss as it is by default.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write e^x − t·x."""
        self.t = t
        # Of a rate beyond the largest number, infinity is the right value.
        with xp.errstate(over="ignore"):
            xp.exp(x, self.work)
        xp.multiply(x, t, self.work2)
        return xp.subtract(self.work, self.work2, self.work2)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write e^x − t."""
        xp.subtract(self.work, self.t, dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Counts, zero among them."""
        for shape in ((1, 3), (4, 3), (2, 3, 2)):
            x = rng.normal(size=shape)
            counts = rng.poisson(1.5, shape).astype(x.dtype)
            yield from vary([cls(), cls("sum"), cls()], rng, x, counts)
