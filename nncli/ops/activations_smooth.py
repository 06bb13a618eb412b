"""Activations that are smooth curves: y = f(x), from easy to hard.

Far from zero each of them is a straight line to the last bit. Arguments of
exponentials and powers are cut off there, so that nothing overflows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case
from nncli.backend import Array, xp
from nncli.ops.elementwise import Unary, sigmoid

VANISHED = 750.0
"""e^−750 is 0 in float64 and in float32."""


class Softsign(Unary, name="softsign"):
    """y = x / (1 + |x|); dL/dx = dL/dy / (1 + |x|)²."""

    def forward(self, x: Array, out: Array) -> None:
        """Write x / (1 + |x|)."""
        xp.absolute(x, self.work)
        xp.add(self.work, 1, out=self.work)
        xp.divide(x, self.work, out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Divide twice by 1 + |x|: its square might overflow."""
        xp.divide(grad, self.work, dx)
        xp.divide(dx, self.work, dx)


class Silu(Unary, name="silu"):
    """y = x·σ(x) with σ(x) = 1 / (1 + e^−x); dL/dx = dL/dy·(σ + y·(1 − σ))."""

    def allocate(self, x: Array) -> Array:
        """Make the output and room for σ."""
        self.sigma: Array = xp.empty_like(x)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write x·σ(x)."""
        self.out = out
        sigmoid(x, self.work, self.sigma)
        xp.multiply(x, self.sigma, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by σ + y·(1 − σ)."""
        xp.subtract(1, self.sigma, self.work)
        xp.multiply(self.work, self.out, self.work)
        xp.add(self.work, self.sigma, self.work)
        xp.multiply(grad, self.work, dx)


class Softplus(Unary, name="softplus"):
    """y = ln(1 + e^(βx)) / β, and y = x where βx > threshold; dL/dx = dL/dy·σ(βx) or 1.

    Uses ln(1 + e^z) = max(z, 0) + ln(1 + e^−|z|), which overflows nowhere.

    Args:
        beta: The factor β > 0: the larger, the sharper the bend.
        threshold: Where the straight line begins.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta = beta
        self.threshold = threshold

    def allocate(self, x: Array) -> Array:
        """Make the output, and room for βx, σ and where the line is straight."""
        self.scaled: Array = xp.empty_like(x)
        self.sigma: Array = xp.empty_like(x)
        self.straight: Array = xp.empty_like(x, dtype=bool)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write (max(βx, 0) + ln(1 + e^−|βx|)) / β, or x."""
        far = max(VANISHED, 2 * abs(self.threshold)) / self.beta
        xp.clip(x, -far, far, out=self.scaled)
        xp.multiply(self.scaled, self.beta, out=self.scaled)
        xp.absolute(self.scaled, self.work)
        xp.negative(self.work, self.work)
        xp.exp(self.work, self.work)
        xp.log1p(self.work, self.work)
        xp.maximum(self.scaled, 0, out=out)
        xp.add(out, self.work, out)
        xp.divide(out, self.beta, out=out)
        xp.greater(self.scaled, self.threshold, self.straight)
        xp.copyto(out, x, where=self.straight)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by σ(βx), or 1."""
        sigmoid(self.scaled, self.work, self.sigma)
        xp.copyto(self.sigma, 1, where=self.straight)
        xp.multiply(grad, self.sigma, dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """The plain one, sharp and soft, and an early straight line."""
        for beta, threshold in ((1.0, 20.0), (5.0, 20.0), (0.3, 20.0), (1.0, 1.5)):
            yield Case(cls(beta, threshold), (rng.normal(0, 2, (3, 4)),))


class Elu(Unary, name="elu"):
    """y = s·x where x > 0, else s·α·(e^(x/w) − 1); dL/dx = dL/dy·(s or s·α/w·e^(x/w)).

    At 0 the derivative is that of the curve, as in PyTorch. ELU has s = w = 1, CELU
    has w = α, SELU has the s and α that its layer documents.

    Args:
        alpha: How far below zero the values go: −α for s = 1.
        width: How far from zero the curve bends: w.
        scale: The factor s of all.
    """

    def __init__(
        self, alpha: float = 1.0, width: float = 1.0, scale: float = 1.0
    ) -> None:
        self.alpha = alpha
        self.width = width
        self.scale = scale

    def allocate(self, x: Array) -> Array:
        """Make the output and room for where x is positive."""
        self.positive: Array = xp.empty_like(x, dtype=bool)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write s·(max(x, 0) + α·(e^(min(x, 0)/w) − 1))."""
        self.x = x
        self._exponent(self.work)
        xp.expm1(self.work, self.work)
        xp.multiply(self.work, self.alpha, out=self.work)
        xp.maximum(x, 0, out=out)
        xp.add(out, self.work, out)
        # Next to the largest number, s > 1 leads to infinity, as in PyTorch.
        with np.errstate(over="ignore"):
            xp.multiply(out, self.scale, out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by s, or by s·α/w·e^(x/w)."""
        self._exponent(self.work)
        xp.exp(self.work, self.work)
        factor = self.scale * self.alpha / self.width
        xp.multiply(self.work, factor, out=self.work)
        xp.greater(self.x, 0, self.positive)
        xp.copyto(self.work, self.scale, where=self.positive)
        xp.multiply(grad, self.work, dx)

    def _exponent(self, out: Array) -> None:
        """Write min(x, 0)/w."""
        xp.clip(self.x, -VANISHED * self.width, 0, out=out)
        xp.divide(out, self.width, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """ELU, CELU, SELU, and all of it at once."""
        for arguments in (
            (1.0, 1.0, 1.0),
            (0.3, 1.0, 1.0),
            (2.0, 2.0, 1.0),
            (1.7, 1.0, 1.05),
            (0.5, 3.0, -2.0),
        ):
            yield Case(cls(*arguments), (rng.normal(0, 2, (3, 4)),))


class Mish(Unary, name="mish"):
    """y = x·t with t = tanh(ln(1 + e^x)); dL/dx = dL/dy·(t + x·(1 − t²)·σ(x)).

    With e = e^x and n = e·(e + 2): t = n / (n + 2) and σ(x) = e / (e + 1), without a
    difference of numbers that are almost the same.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for t and σ."""
        self.tanh: Array = xp.empty_like(x)
        self.sigma: Array = xp.empty_like(x)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write x·t, and keep t and σ."""
        self.x = x
        # From 20 on, t is 1 to the last bit of float64; e^40 still fits in float32.
        xp.minimum(x, 20, out=self.work)
        xp.exp(self.work, self.work)
        xp.add(self.work, 2, out=self.tanh)
        xp.multiply(self.tanh, self.work, self.tanh)
        xp.add(self.tanh, 2, out=out)
        xp.divide(self.tanh, out, self.tanh)
        xp.add(self.work, 1, out=self.sigma)
        xp.divide(self.work, self.sigma, self.sigma)
        xp.multiply(x, self.tanh, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by t + x·(1 − t²)·σ, where 1 − t² is 0 for large x."""
        xp.multiply(self.tanh, self.tanh, self.work)
        xp.subtract(1, self.work, self.work)
        xp.multiply(self.work, self.sigma, self.work)
        xp.multiply(self.work, self.x, self.work)
        xp.add(self.work, self.tanh, self.work)
        xp.multiply(grad, self.work, dx)
