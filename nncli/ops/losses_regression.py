"""Losses between numbers, element by element."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.losses import Elementwise, vary


class MeanSquaredError(Elementwise, name="mse"):
    """y = Σ (x − t)² / n over all n elements; dL/dx = dL/dy · 2·(x − t) / n."""

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        work, _ = rooms
        xp.subtract(x, t, out=work)
        return xp.multiply(work, work, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        xp.subtract(x, t, out=dx)
        xp.multiply(dx, 2 * scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, one column, several, a sum, and weighted rows."""
        for shape in ((1, 3), (4, 1), (3, 2)):
            x, t = rng.normal(size=(2, *shape))
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, x, t)


class MeanAbsoluteError(Elementwise, name="mae"):
    """y = Σ |x − t| / n; dl/dx = sign(x − t), 0 at x = t as in PyTorch's L1Loss."""

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        work, _ = rooms
        xp.subtract(x, t, out=work)
        return xp.abs(work, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        xp.subtract(x, t, out=dx)
        xp.sign(dx, out=dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, and several."""
        for shape in ((1, 3), (3, 2)):
            x, t = rng.normal(size=(2, *shape))
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, x, t)


class Clipped(Elementwise):
    """Base of losses that are a parabola near 0 and straight lines beyond a limit.

    With d = x − t and h half of d clipped to [−limit, limit], the parabola d²/2 and
    the lines limit·(|d| − limit/2) are both 2·h·(d − h), with the slope 2·h.
    """

    @property
    @abstractmethod
    def limit(self) -> float:
        """Where the parabola ends."""

    @property
    def factor(self) -> float:
        """What the loss is multiplied by."""
        return 1.0

    def half(self, x: Array, t: Array, out: Array) -> None:
        """Write h."""
        xp.subtract(x, t, out=out)
        xp.clip(out, -self.limit, self.limit, out=out)
        xp.multiply(out, 0.5, out=out)

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        """Write 2·h·(d − h)."""
        half, work = rooms
        self.half(x, t, half)
        xp.subtract(x, t, out=work)
        xp.subtract(work, half, out=work)
        xp.multiply(work, half, out=work)
        return xp.multiply(work, 2 * self.factor, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        """Write 2·h."""
        self.half(x, t, dx)
        xp.multiply(dx, 2 * self.factor * scale, out=dx)


class Huber(Clipped, name="huber"):
    """y = Σ l(x − t) / n; l(d) = d²/2 for |d| <= δ, else δ·(|d| − δ/2).

    dl/dx is d clipped to [−δ, δ]. Huber 1964, "Robust estimation of a location
    parameter".

    Args:
        delta: Where the parabola ends.
    """

    delta: float = 1.0

    @property
    def limit(self) -> float:
        return self.delta

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Differences on both sides of the limit."""
        for shape, delta in (((1, 3), 1.0), ((4, 3), 0.3), ((2, 3, 2), 2.0)):
            x, t = rng.normal(0, 1.5, (2, *shape))
            functions = [cls(delta), cls(delta, reduction="sum"), cls(delta)]
            yield from vary(functions, rng, x, t)


class SmoothL1(Clipped, name="smooth_l1"):
    """y = Σ l(x − t) / n; l(d) = d²/(2·β) for |d| < β, else |d| − β/2.

    dl/dx is d/β clipped to [−1, 1]. Girshick 2015, "Fast R-CNN", with β as in PyTorch;
    it is Huber's loss with δ = β, divided by β.

    Args:
        beta: Where the parabola ends.
    """

    beta: float = 1.0

    @property
    def limit(self) -> float:
        return self.beta

    @property
    def factor(self) -> float:
        return 1 / self.beta

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Differences on both sides of the limit."""
        for shape, beta in (((1, 3), 1.0), ((4, 3), 0.3), ((2, 3, 2), 2.0)):
            x, t = rng.normal(0, 1.5, (2, *shape))
            functions = [cls(beta), cls(beta, reduction="sum"), cls(beta)]
            yield from vary(functions, rng, x, t)


class LogCosh(Elementwise, name="log_cosh"):
    """y = Σ ln cosh(x − t) / n; dl/dx = tanh(x − t).

    With d = x − t: ln cosh d = |d| + ln(1 + (e^(−2·|d|) − 1)/2), which overflows
    nowhere and keeps its digits near 0. As in Keras.
    """

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        size, work = rooms
        xp.subtract(x, t, out=size)
        xp.abs(size, out=size)
        xp.multiply(size, -2, out=work)
        xp.expm1(work, out=work)
        xp.multiply(work, 0.5, out=work)
        xp.log1p(work, out=work)
        return xp.add(size, work, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        xp.subtract(x, t, out=dx)
        xp.tanh(dx, out=dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Near differences and far ones."""
        for shape, scale in (((1, 3), 0.1), ((4, 3), 1.0), ((2, 3, 2), 20.0)):
            x, t = rng.normal(0, scale, (2, *shape))
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, x, t)


class Poisson(Elementwise, name="poisson"):
    """y = Σ (x − t·ln(x + 1e-8)) / n, from rates x > 0 and counts t.

    dl/dx = 1 − t/(x + 1e-8). −ln of the Poisson probability of t without ln t!, which
    does not depend on x: PyTorch's PoissonNLLLoss with log_input=False. A negative
    rate gives NaN.
    """

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        work, _ = rooms
        xp.add(x, 1e-8, out=work)
        xp.log(work, out=work)
        xp.multiply(work, t, out=work)
        return xp.subtract(x, work, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        xp.add(x, 1e-8, out=dx)
        xp.divide(t, dx, out=dx)
        xp.subtract(1, dx, out=dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Counts, zero among them, and targets between."""
        for shape in ((1, 3), (4, 3)):
            rates, soft = rng.uniform(0.2, 4.0, (2, *shape))
            counts = rng.poisson(1.5, shape).astype(rates.dtype)
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, rates, counts)
            yield Case(cls(), (rates, soft))


class LogPoisson(Elementwise, name="log_poisson"):
    """y = Σ (e^x − t·x) / n, from logarithms x of rates and counts t.

    dl/dx = e^x − t. PyTorch's PoissonNLLLoss as it is by default. The value of a rate
    beyond the largest number is infinity.
    """

    def values(self, x: Array, t: Array, *rooms: Array) -> Array:
        rate, work = rooms
        xp.exp(x, out=rate)
        xp.multiply(x, t, out=work)
        return xp.subtract(rate, work, out=work)

    def slopes(
        self, x: Array, t: Array, scale: float, dx: Array, *rooms: Array
    ) -> None:
        xp.exp(x, out=dx)
        xp.subtract(dx, t, out=dx)
        xp.multiply(dx, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Counts, zero among them."""
        for shape in ((1, 3), (4, 3), (2, 3, 2)):
            x = rng.normal(size=shape)
            counts = rng.poisson(1.5, shape).astype(x.dtype)
            yield from vary([cls(), cls(reduction="sum"), cls()], rng, x, counts)
