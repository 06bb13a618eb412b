"""Noise: ops that draw a new disturbance in every forward pass."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import Case, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.ops.elementwise import Unary

SELU_LIMIT = 1.7580993408473766
"""−SELU(−∞) = λ·α: where SELU saturates (Klambauer et al. 2017)."""


DRAWN = np.float32
"""What is drawn, in both precisions: in float64, where derivatives are checked, a
network drops what it drops in training. Generators fill row-major arrays only."""


class GaussianNoise(Unary, name="gaussian_noise"):
    """y = x + std·n with n ~ N(0, 1) for each element; dL/dx = dL/dy.

    Args:
        std: Standard deviation of the noise.
        rng: Where the noise comes from; every forward pass draws anew.
    """

    std: float
    rng: np.random.Generator

    def allocate(self, x: Array) -> Array:
        self.draw = form(x.shape, DRAWN)
        return super().allocate(x)

    def forward(self, x: Array, out: Array) -> None:
        noise = scratch(self.draw)
        self.rng.standard_normal(out=noise, dtype=DRAWN)
        xp.multiply(noise, self.std, out=noise)
        xp.add(x, noise, out=out)

    def backward(self, grad: Array, dx: Array) -> None:
        if dx is not grad:
            xp.copyto(dx, grad)

    def flops(self, *arrays: Sized) -> int:
        """Count a product and a sum an element."""
        return 2 * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No noise and some; the checker repeats the draw."""
        for std in (0.0, 0.5):
            yield Case(cls(std, np.random.default_rng(7)), (rng.normal(size=(4, 5)),))


class Masked(Unary):
    """Base of ops that draw which elements stay, each with probability 1 − rate.

    Args:
        rate: The probability p of dropping an element, 0 <= p < 1.
        rng: Where the mask comes from; every forward pass draws a new one.
    """

    rate: float
    rng: np.random.Generator

    def allocate(self, x: Array) -> Array:
        """Make room for the mask."""
        out = super().allocate(x)
        shape = self.drawn(x.shape)
        self.draw = form(shape, DRAWN)
        self.mask = form(shape, x.dtype, self.form.order).empty()
        return out

    def drawn(self, shape: Shape) -> Shape:
        """Return the shape of what is drawn for inputs of a shape."""
        return shape

    def draw_mask(self, factor: float) -> None:
        """Write 0 for an element to drop, else a factor."""
        chance = scratch(self.draw)
        self.rng.random(out=chance, dtype=DRAWN)
        xp.greater_equal(chance, self.rate, out=self.mask)
        xp.multiply(self.mask, factor, out=self.mask)

    def backward(self, grad: Array, dx: Array) -> None:
        """Multiply by the same mask."""
        xp.multiply(grad, self.mask, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """No dropout, some and most; the checker repeats the draw."""
        for rate in (0.0, 0.3, 0.9):
            yield Case(cls(rate, np.random.default_rng(7)), (rng.normal(size=(4, 5)),))


class Dropout(Masked, name="dropout"):
    """Set each element to 0 with probability p, divide the others by 1 − p.

    y = x·m/(1 − p) with m = 1 with probability 1 − p, else 0; dL/dx = dL/dy·m/(1 − p).
    "Inverted" dropout (Srivastava et al. 2014, section 10): the expected value is x,
    so that nothing has to be done after training.
    """

    def forward(self, x: Array, out: Array) -> None:
        self.draw_mask(1 / (1 - self.rate))
        xp.multiply(x, self.mask, out=out)


class SpatialDropout(Masked, name="spatial_dropout"):
    """Set each channel of each row to 0 with probability p, divide others by 1 − p.

    x (N, C, space...) → y as x; see ``Dropout``, here with one draw for a whole
    channel, whose elements are much alike. Tompson et al. 2015, section 3.2; PyTorch's
    Dropout1d to Dropout3d.
    """

    def drawn(self, shape: Shape) -> Shape:
        return (*shape[:2], *(1,) * (len(shape) - 2))

    def forward(self, x: Array, out: Array) -> None:
        self.draw_mask(1 / (1 - self.rate))
        xp.multiply(x, self.mask, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Sequences, images and volumes; the checker repeats the draw."""
        for shape in ((4, 5, 2), (2, 4, 2, 3), (2, 3, 1, 2, 2)):
            for rate in (0.0, 0.5):
                x = rng.normal(size=shape)
                yield Case(cls(rate, np.random.default_rng(7)), (x,))


class AlphaDropout(Masked, name="alpha_dropout"):
    """y = a·(x·m − L·(1 − m)) + b: dropout to −L, which keeps mean 0 and variance 1.

    m = 1 with probability 1 − p, else 0; L = 1.7581 is where SELU saturates;
    a = ((1 − p)·(1 + p·L²))^−½ and b = a·p·L undo what that does to the mean and the
    variance; dL/dx = dL/dy·a·m. Source: Klambauer et al. 2017, section 2 ("new dropout
    technique"), and PyTorch's AlphaDropout.
    """

    def forward(self, x: Array, out: Array) -> None:
        """Draw a mask M of 0 and a; (x + L)·M − L·a·(1 − p) is the same."""
        kept = 1 - self.rate
        factor = 1 / math.sqrt(kept * (1 + self.rate * SELU_LIMIT**2))
        self.draw_mask(factor)
        xp.add(x, SELU_LIMIT, out=out)
        xp.multiply(out, self.mask, out=out)
        xp.subtract(out, SELU_LIMIT * factor * kept, out=out)

    def flops(self, *arrays: Sized) -> int:
        """Count a comparison, two sums and two products an element."""
        return 5 * arrays[-1].size
