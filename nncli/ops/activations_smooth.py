"""Activations that are smooth curves: y = f(x), from easy to hard.

Far from zero each of them is a straight line to the last bit. Arguments of
exponentials and powers are cut off there, so that nothing overflows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratch, scratches
from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.elementwise import Unary, sigmoid

VANISHED = 750.0
"""e^−750 is 0 in float64 and in float32."""


class Softsign(Unary, name="softsign"):
    """y = x / (1 + |x|); dL/dx = dL/dy / (1 + |x|)²."""

    saves_inputs = True

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        size = scratch(self.form)
        xp.absolute(x, out=size)
        xp.add(size, 1, out=size)
        xp.divide(x, size, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Divide twice by 1 + |x|: its square might overflow."""
        size = scratch(self.form)
        xp.absolute(self.x, out=size)
        xp.add(size, 1, out=size)
        xp.divide(grad, size, out=dx)
        xp.divide(dx, size, out=dx)


class Silu(Unary, name="silu"):
    """y = x·σ(x) with σ(x) = 1 / (1 + e^−x); dL/dx = dL/dy·(σ + y·(1 − σ))."""

    saves_output = True

    def allocate(self, x: Array) -> Array:
        """Make the output and room for σ."""
        out = super().allocate(x)
        self.sigma = self.form.empty()
        return out

    def forward(self, x: Array, out: Array) -> None:
        self.out = out
        sigmoid(x, scratch(self.form), self.sigma)
        xp.multiply(x, self.sigma, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        slope = scratch(self.form)
        xp.subtract(1, self.sigma, out=slope)
        xp.multiply(slope, self.out, out=slope)
        xp.add(slope, self.sigma, out=slope)
        xp.multiply(grad, slope, out=dx)


class Softplus(Unary, name="softplus"):
    """y = ln(1 + e^(βx)) / β, and y = x where βx > threshold; dL/dx = dL/dy·σ(βx) or 1.

    Uses ln(1 + e^z) = max(z, 0) + ln(1 + e^−|z|), which overflows nowhere.

    Args:
        beta: The factor β > 0: the larger, the sharper the bend.
        threshold: Where the straight line begins.
    """

    beta: float = 1.0
    threshold: float = 20.0

    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        self.mask = form(self.form.shape, bool, self.form.order)
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Write (max(βx, 0) + ln(1 + e^−|βx|)) / β, or x."""
        self.x = x
        scaled, work, straight = scratches(self.form, self.form, self.mask)
        self._scale(scaled)
        xp.absolute(scaled, out=work)
        xp.negative(work, out=work)
        xp.exp(work, out=work)
        xp.log1p(work, out=work)
        xp.maximum(scaled, 0, out=out)
        xp.add(out, work, out=out)
        xp.divide(out, self.beta, out=out)
        xp.greater(scaled, self.threshold, out=straight)
        xp.copyto(out, x, where=straight)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by σ(βx), or 1."""
        scaled, work, slope, straight = scratches(*[self.form] * 3, self.mask)
        self._scale(scaled)
        sigmoid(scaled, work, slope)
        xp.greater(scaled, self.threshold, out=straight)
        xp.copyto(slope, 1, where=straight)
        xp.multiply(grad, slope, out=dx)

    def _scale(self, out: Array) -> None:
        """Write βx, cut off far from 0."""
        far = max(VANISHED, 2 * abs(self.threshold)) / self.beta
        xp.clip(self.x, -far, far, out=out)
        xp.multiply(out, self.beta, out=out)

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

    alpha: float = 1.0
    width: float = 1.0
    scale: float = 1.0

    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        self.mask = form(self.form.shape, bool, self.form.order)
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Write s·(max(x, 0) + α·(e^(min(x, 0)/w) − 1))."""
        self.x = x
        curve = scratch(self.form)
        self._exponent(curve)
        xp.expm1(curve, out=curve)
        xp.multiply(curve, self.alpha, out=curve)
        xp.maximum(x, 0, out=out)
        xp.add(out, curve, out=out)
        xp.multiply(out, self.scale, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by s, or by s·α/w·e^(x/w)."""
        slope, positive = scratches(self.form, self.mask)
        self._exponent(slope)
        xp.exp(slope, out=slope)
        factor = self.scale * self.alpha / self.width
        xp.multiply(slope, factor, out=slope)
        xp.greater(self.x, 0, out=positive)
        xp.copyto(slope, self.scale, where=positive)
        xp.multiply(grad, slope, out=dx)

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

    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        """Make the output and room for t and σ."""
        out = super().allocate(x)
        self.tanh, self.sigma = self.form.empty(), self.form.empty()
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Write x·t, and keep t and σ."""
        self.x = x
        e, tanh = scratch(self.form), self.tanh
        # From 20 on, t is 1 to the last bit of float64; e^40 still fits in float32.
        xp.minimum(x, 20, out=e)
        xp.exp(e, out=e)
        xp.add(e, 2, out=tanh)
        xp.multiply(tanh, e, out=tanh)
        xp.add(tanh, 2, out=out)
        xp.divide(tanh, out, out=tanh)
        xp.add(e, 1, out=self.sigma)
        xp.divide(e, self.sigma, out=self.sigma)
        xp.multiply(x, tanh, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by t + x·(1 − t²)·σ, where 1 − t² is 0 for large x."""
        slope = scratch(self.form)
        xp.multiply(self.tanh, self.tanh, out=slope)
        xp.subtract(1, slope, out=slope)
        xp.multiply(slope, self.sigma, out=slope)
        xp.multiply(slope, self.x, out=slope)
        xp.add(slope, self.tanh, out=slope)
        xp.multiply(grad, slope, out=dx)
