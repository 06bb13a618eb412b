"""GELU: x times the probability that a normal number is smaller than x."""

from __future__ import annotations

import math

from nncli.backend import Array, xp
from nncli.ops.elementwise import Unary
from nncli.ops.erf import Erf


class Gelu(Unary, name="gelu"):
    """y = x·Φ(x) with Φ(x) = ½·(1 + erf(x/√2)); dL/dx = dL/dy·(Φ(x) + x·φ(x)).

    Φ is the distribution function of the standard normal distribution and
    φ(x) = e^(−x²/2) / √(2π) its density.
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for Φ, which ``erf`` sees as one long row."""
        self.phi: Array = xp.empty_like(x)
        # A view: the copy of any memory layout that empty_like makes has no gaps.
        self.row = self.phi.ravel(order="K")
        self.erf = Erf(x.size, x.dtype)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write x·Φ(x)."""
        self.x = x
        xp.multiply(x, math.sqrt(0.5), out=self.phi)
        self.erf(self.row, self.row)
        xp.add(self.phi, 1, out=self.phi)
        xp.multiply(self.phi, 0.5, out=self.phi)
        xp.multiply(x, self.phi, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by Φ(x) + x·φ(x); φ(40) is 0, so that no square overflows."""
        xp.clip(self.x, -40, 40, out=self.work)
        xp.multiply(self.work, self.work, self.work)
        xp.multiply(self.work, -0.5, out=self.work)
        xp.exp(self.work, self.work)
        xp.multiply(self.work, 1 / math.sqrt(2 * math.pi), out=self.work)
        xp.multiply(self.work, self.x, self.work)
        xp.add(self.work, self.phi, self.work)
        xp.multiply(grad, self.work, dx)


class GeluTanh(Unary, name="gelu_tanh"):
    """y = ½x·(1 + t) with t = tanh(u) and u = √(2/π)·(x + 0.044715·x³).

    dL/dx = dL/dy·½·(1 + t + x·(1 − t²)·du/dx), du/dx = √(2/π)·(1 + 0.134145·x²).
    """

    def allocate(self, x: Array) -> Array:
        """Make the output and room for t and du/dx."""
        self.tanh: Array = xp.empty_like(x)
        self.slope: Array = xp.empty_like(x)
        self.cut: Array = xp.empty_like(x)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        """Write ½x·(1 + t); from |x| = 10 on, t is ±1 to the last bit."""
        xp.clip(x, -10, 10, out=self.cut)
        xp.multiply(self.cut, self.cut, self.tanh)
        xp.multiply(self.tanh, 0.044715, out=self.tanh)
        xp.add(self.tanh, 1, out=self.tanh)
        xp.multiply(self.tanh, self.cut, self.tanh)
        xp.multiply(self.tanh, math.sqrt(2 / math.pi), out=self.tanh)
        xp.tanh(self.tanh, self.tanh)
        xp.add(self.tanh, 1, out=out)
        xp.multiply(out, 0.5, out=out)
        xp.multiply(out, x, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by ½·(1 + t + x·(1 − t²)·du/dx), where 1 − t² is 0 for large x."""
        xp.multiply(self.cut, self.cut, self.slope)
        xp.multiply(self.slope, 3 * 0.044715, out=self.slope)
        xp.add(self.slope, 1, out=self.slope)
        xp.multiply(self.slope, math.sqrt(2 / math.pi), out=self.slope)
        xp.multiply(self.slope, self.cut, self.slope)
        xp.multiply(self.tanh, self.tanh, self.work)
        xp.subtract(1, self.work, self.work)
        xp.multiply(self.work, self.slope, self.work)
        xp.add(self.work, self.tanh, self.work)
        xp.add(self.work, 1, out=self.work)
        xp.multiply(self.work, 0.5, out=self.work)
        xp.multiply(grad, self.work, dx)
