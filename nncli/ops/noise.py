"""Noise: ops that draw a new disturbance in every forward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, xp

SELU_LIMIT = 1.7580993408473766
"""−SELU(−∞) = λ·α: where SELU saturates (Klambauer et al. 2017)."""


class GaussianNoise(Function, name="gaussian_noise"):
    """y = x + std·n with n ~ N(0, 1) for each element; dL/dx = dL/dy.

    Args:
        std: Standard deviation of the noise.
        rng: Where the noise comes from; every forward pass draws anew.
    """

    elementwise = True

    def __init__(self, std: float, rng: np.random.Generator) -> None:
        self.std = std
        self.rng = rng

    def allocate(self, x: Array) -> Array:
        """Make room for the noise."""
        # Generator.standard_normal fills C-ordered arrays only.
        self.draw = xp.empty(x.shape, x.dtype)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Draw and add."""
        self.rng.standard_normal(out=self.draw, dtype=self.draw.dtype.type)
        xp.multiply(self.draw, self.std, out=self.draw)
        xp.add(x, self.draw, out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Hand the gradient on."""
        if dx is not None and dx is not grad:
            xp.copyto(dx, grad)

    def flops(self, *arrays: Array) -> int:
        """Count a product and a sum an element."""
        return int(2 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No noise and some; the checker repeats the draw."""
        for std in (0.0, 0.5):
            yield Case(cls(std, np.random.default_rng(7)), (rng.normal(size=(4, 5)),))


class AlphaDropout(Function, name="alpha_dropout"):
    """y = a·(x·m − L·(1 − m)) + b: dropout to −L, which keeps mean 0 and variance 1.

    m = 1 with probability 1 − p, else 0; L = 1.7581 is where SELU saturates;
    a = ((1 − p)·(1 + p·L²))^−½ and b = a·p·L undo what that does to the mean and the
    variance; dL/dx = dL/dy·a·m. Source: Klambauer et al. 2017, section 2 ("new dropout
    technique"), and PyTorch's AlphaDropout.

    Args:
        rate: The probability p of dropping an element, 0 <= p < 1.
        rng: Where the mask comes from; every forward pass draws a new one.
    """

    elementwise = True

    def __init__(self, rate: float, rng: np.random.Generator) -> None:
        self.rate = rate
        self.rng = rng
        self.scale = 1 / math.sqrt((1 - rate) * (1 + rate * SELU_LIMIT**2))

    def allocate(self, x: Array) -> Array:
        """Make room for the mask."""
        # Generator.random fills C-ordered arrays only.
        self.draw = xp.empty(x.shape, x.dtype)
        self.mask: Array = xp.empty_like(x)
        return xp.empty_like(x)

    def forward(self, x: Array, out: Array) -> None:
        """Draw a mask M of 0 and a; (x + L)·M − L·a·(1 − p) is the same."""
        self.rng.random(out=self.draw, dtype=self.draw.dtype.type)
        xp.greater_equal(self.draw, self.rate, out=self.mask)
        xp.multiply(self.mask, self.scale, out=self.mask)
        xp.add(x, SELU_LIMIT, out=out)
        xp.multiply(out, self.mask, out)
        xp.subtract(out, SELU_LIMIT * self.scale * (1 - self.rate), out=out)

    def backward(self, grad: Array, dx: Array | None) -> None:
        """Multiply by the same mask."""
        xp.multiply(grad, self.mask, dx)

    def flops(self, *arrays: Array) -> int:
        """Count a comparison, two sums and two products an element."""
        return int(5 * arrays[-1].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No dropout, some and most; the checker repeats the draw."""
        for rate in (0.0, 0.3, 0.9):
            yield Case(cls(rate, np.random.default_rng(7)), (rng.normal(size=(4, 5)),))
