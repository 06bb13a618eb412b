"""GELU: x times the probability that a normal number is smaller than x."""

from __future__ import annotations

import math

import numpy as np

from nncli.autograd.buffers import Form, form, scratch, scratches
from nncli.autograd.function import Sized
from nncli.core.arrays import Array, xp
from nncli.ops.elementwise import Unary
from nncli.ops.erf import erf, erf_forms, polynomial

# Of 1 − Φ(a) = e^(−a²/2)·t·p(t) with t = 1/(a + c), highest power first and with its
# sign turned: fitted for a ≥ 0 so that the largest error of Φ, 5.9e-8, is smallest.
_TAIL = (27.86554205, -31.34478996, 2.52721514, -1.86837148, -0.36901899)
_TAIL_START = 3.02298274786345
_SIGN = np.uint32(2**31)

BLOCK = 2**15
"""Elements at a time, so that the twenty passes over them stay in the cache."""


class Gelu(Unary, name="gelu"):
    """y = x·Φ(x) with Φ(x) = ½·(1 + erf(x/√2)); dL/dx = dL/dy·(Φ(x) + x·φ(x)).

    Φ is the distribution function of the standard normal distribution and
    φ(x) = e^(−x²/2) / √(2π) its density. In float32, 1 − Φ(|x|) is φ(x) times a
    polynomial of 1/(|x| + c), the form of Abramowitz and Stegun 1964, 26.2.17: Φ and
    the slope are right to 3e-7. The slope needs φ as well: it is computed at once, and
    kept.
    """

    saves_inputs = False

    def allocate(self, x: Array) -> Array:
        """Make the output and room for the slope."""
        out = super().allocate(x)
        self.single = x.dtype == xp.float32
        self.slope = self.form.empty() if self.differentiated else xp.empty(0)
        block = max(1, min(x.size, BLOCK))
        self.forms: tuple[Form, ...] = (form((3, block), x.dtype),)
        if not self.single:
            self.forms += erf_forms(self.forms[0])
        return out

    def flops(self, *arrays: Sized) -> int:
        """Count what the polynomials take."""
        return 40 * arrays[-1].size

    def forward(self, x: Array, out: Array) -> None:
        """Write x·Φ(x), and Φ(x) + x·φ(x) where it is wanted."""
        if x.strides != out.strides:
            xp.copyto(out, x)
            x = out
        rooms = scratches(*self.forms)
        # Views: the form of a buffer has no gaps.
        x, out = x.ravel(order="K"), out.ravel(order="K")
        slope = self.slope.ravel(order="K")
        block = rooms[0].shape[1]
        for start in range(0, x.size, block):
            part = slice(start, start + block)
            values = x[part]
            phi, power, work = rooms[0][:, : values.size]
            xp.multiply(values, values, out=power)
            xp.multiply(power, -0.5, out=power)
            xp.exp(power, out=power)
            if self.single:
                _normal(values, power, work, phi)
            else:
                xp.multiply(values, math.sqrt(0.5), out=phi)
                erf(phi, rooms[1:], phi)
                xp.multiply(phi, 0.5, out=phi)
            xp.add(phi, 0.5, out=phi)
            if slope.size:
                xp.multiply(power, 1 / math.sqrt(2 * math.pi), out=power)
                xp.multiply(power, values, out=power)
                xp.add(power, phi, out=slope[part])
            xp.multiply(values, phi, out=out[part])

    def backward(self, grad: Array, dx: Array) -> None:
        xp.multiply(grad, self.slope, out=dx)


def _normal(x: Array, power: Array, work: Array, out: Array) -> None:
    """Write Φ(x) − ½, given e^(−x²/2)."""
    xp.absolute(x, out=work)
    xp.add(work, _TAIL_START, out=work)
    xp.reciprocal(work, out=work)
    polynomial(_TAIL, work, out)
    xp.multiply(out, work, out=out)
    xp.multiply(out, power, out=out)
    xp.add(out, 0.5, out=out)
    # With the sign of x; copysign takes twice as long as these.
    bits, signs = out.view(xp.uint32), work.view(xp.uint32)
    xp.bitwise_and(x.view(xp.uint32), _SIGN, out=signs)
    xp.bitwise_or(bits, signs, out=bits)


class GeluTanh(Unary, name="gelu_tanh"):
    """y = ½x·(1 + t) with t = tanh(u) and u = √(2/π)·(x + 0.044715·x³).

    dL/dx = dL/dy·½·(1 + t + x·(1 − t²)·du/dx), du/dx = √(2/π)·(1 + 0.134145·x²).
    """

    saves_inputs = True

    def allocate(self, x: Array) -> Array:
        """Make the output and room for t."""
        out = super().allocate(x)
        self.tanh = self.form.empty()
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Write ½x·(1 + t); from |x| = 10 on, t is ±1 to the last bit."""
        self.x = x
        cut, tanh = scratch(self.form), self.tanh
        xp.clip(x, -10, 10, out=cut)
        xp.multiply(cut, cut, out=tanh)
        xp.multiply(tanh, 0.044715, out=tanh)
        xp.add(tanh, 1, out=tanh)
        xp.multiply(tanh, cut, out=tanh)
        xp.multiply(tanh, math.sqrt(2 / math.pi), out=tanh)
        xp.tanh(tanh, out=tanh)
        xp.add(tanh, 1, out=out)
        xp.multiply(out, 0.5, out=out)
        xp.multiply(out, x, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by ½·(1 + t + x·(1 − t²)·du/dx), where 1 − t² is 0 for large x."""
        cut, inner, slope = scratches(self.form, self.form, self.form)
        xp.clip(self.x, -10, 10, out=cut)
        xp.multiply(cut, cut, out=inner)
        xp.multiply(inner, 3 * 0.044715, out=inner)
        xp.add(inner, 1, out=inner)
        xp.multiply(inner, math.sqrt(2 / math.pi), out=inner)
        xp.multiply(inner, cut, out=inner)
        xp.multiply(self.tanh, self.tanh, out=slope)
        xp.subtract(1, slope, out=slope)
        xp.multiply(slope, inner, out=slope)
        xp.add(slope, self.tanh, out=slope)
        xp.add(slope, 1, out=slope)
        xp.multiply(slope, 0.5, out=slope)
        xp.multiply(grad, slope, out=dx)
