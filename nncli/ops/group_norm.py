"""Normalization of each row by itself: by groups of channels, or by neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, batch_innermost, xp
from nncli.core.errors import ShapeError
from nncli.ops.windows import (
    Part,
    Windows,
    channels_first,
    combine,
    groups_of,
    spread,
)


class GroupNorm(Function, name="group_norm"):
    """y = γ·x̂ + β with x̂ = (x − μ) / √(σ² + ε), by row and group of channels.

    x (N, C, space...), γ (C,), β (C,), both or none → y as x, the batch innermost in
    memory; μ and the biased variance σ² are those of the C/groups channels of one row
    (Wu and He 2018). One group is a layer norm over everything, C groups are an
    instance norm. With g = γ·dL/dy, means over what was normalized together:
    dL/dx = (g − mean(g) − x̂·mean(g·x̂)) / √(σ² + ε),
    dL/dγ = Σ dL/dy·x̂, dL/dβ = Σ dL/dy.

    Args:
        groups: How many groups the channels are cut into.
        eps: The ε under the root.
    """

    groups: int
    eps: float = 1e-5

    layout = "any"
    saves_inputs = (True, True, False)
    saves_output = False

    def allocate(self, x: Array, *scale: Array) -> Array:
        """Make the output, and a mean and a root for each group of each row."""
        if x.ndim < 2 or not x.size or x.shape[1] % self.groups:
            raise ShapeError(
                f"group_norm: expected inputs (N, C, ...) whose channels make "
                f"{self.groups} groups, got {x.shape}."
            )
        n, channels, *space = x.shape
        self.wide = channels // self.groups
        self.count = x.size // (n * self.groups)
        self.mean, self.inverse = (
            xp.empty((self.groups, 1, n), x.dtype) for _ in range(2)
        )
        step = max(1, groups_of(x)[0].stop // self.wide)
        self.steps = [
            slice(g, min(g + step, self.groups)) for g in range(0, self.groups, step)
        ]
        self.form = form((step * self.wide, *space, n), x.dtype)
        self.column = form((step, 1, n), x.dtype)
        self.along = (-1, *(1,) * (x.ndim - 1))
        return batch_innermost(x.shape, x.dtype)

    def forward(self, x: Array, *rest: Array) -> None:
        """Called as (x, gamma, beta, out) or (x, out)."""
        *scale, out = rest
        self.x, self.scale = x, scale
        y = channels_first(out)
        room, squares = scratches(self.form, self.form)
        for groups in self.steps:
            self._statistics(groups, room, squares)
            channels = self._channels(groups)
            normal = self._normal(groups, room)
            if scale:
                gamma, beta = (each.reshape(self.along)[channels] for each in scale)
                xp.multiply(normal, gamma, out=y[channels])
                xp.add(y[channels], beta, out=y[channels])
            else:
                xp.copyto(y[channels], normal)

    def _channels(self, groups: slice) -> slice:
        return slice(groups.start * self.wide, groups.stop * self.wide)

    def _together(self, part: Array, groups: slice) -> Array:
        """Return (channels, space, N) as (groups, what is normalized together, N)."""
        shape = (groups.stop - groups.start, self.count, part.shape[-1])
        return part.reshape(shape)

    def _statistics(self, groups: slice, room: Array, squares: Array) -> None:
        part = channels_first(self.x)[self._channels(groups)]
        held, squared = room[: len(part)], squares[: len(part)]
        mean, inverse = self.mean[groups], self.inverse[groups]
        xp.copyto(held, part)
        rows = self._together(held, groups)
        xp.add.reduce(rows, axis=1, out=mean, keepdims=True)
        xp.divide(mean, self.count, out=mean)
        work = self._together(squared, groups)
        xp.subtract(rows, mean, out=work)
        xp.multiply(work, work, out=work)
        xp.add.reduce(work, axis=1, out=inverse, keepdims=True)
        xp.divide(inverse, self.count, out=inverse)
        xp.add(inverse, self.eps, out=inverse)
        xp.sqrt(inverse, out=inverse)
        xp.divide(1, inverse, out=inverse)

    def _normal(self, groups: slice, room: Array) -> Array:
        """Return x̂ of some groups, from the statistics."""
        part = channels_first(self.x)[self._channels(groups)]
        held = room[: len(part)]
        xp.copyto(held, part)
        rows = self._together(held, groups)
        xp.subtract(rows, self.mean[groups], out=rows)
        xp.multiply(rows, self.inverse[groups], out=rows)
        return held

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None = None,
        dbeta: Array | None = None,
    ) -> None:
        g = channels_first(grad)
        room, spare, work, column = scratches(
            self.form, self.form, self.form, self.column
        )
        for groups in self.steps:
            channels = self._channels(groups)
            normal = self._normal(groups, room)
            held, product = spare[: len(normal)], work[: len(normal)]
            axes = tuple(range(1, held.ndim))
            xp.copyto(held, g[channels])
            if dbeta is not None:
                xp.add.reduce(held, axis=axes, out=dbeta[channels])
            xp.multiply(held, normal, out=product)
            if dgamma is not None:
                xp.add.reduce(product, axis=axes, out=dgamma[channels])
            if dx is None:
                continue
            if self.scale:
                gamma = self.scale[0].reshape(self.along)[channels]
                xp.multiply(held, gamma, out=held)
                xp.multiply(product, gamma, out=product)
            rows, slopes, hats = (
                self._together(each, groups) for each in (held, product, normal)
            )
            mean = column[: len(rows)]
            self._mean(slopes, mean)
            xp.multiply(hats, mean, out=hats)
            self._mean(rows, mean)
            xp.subtract(rows, mean, out=rows)
            xp.subtract(rows, hats, out=rows)
            xp.multiply(rows, self.inverse[groups], out=rows)
            xp.copyto(channels_first(dx)[channels], held)

    def _mean(self, rows: Array, out: Array) -> None:
        xp.add.reduce(rows, axis=1, out=out, keepdims=True)
        xp.divide(out, self.count, out=out)

    def flops(self, *arrays: Sized) -> int:
        """Count about seven operations an element."""
        return 7 * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One group, several, one a channel; with γ and β, and without."""
        for shape, groups in (
            ((2, 4), 2),
            ((1, 4, 3), 1),
            ((3, 6, 2, 2), 3),
            ((2, 3, 2, 1, 2), 3),
        ):
            x = rng.normal(1.0, 2.0, shape)
            yield Case(cls(groups), (x,))
            scale = rng.normal(size=shape[1]), rng.normal(size=shape[1])
            yield Case(cls(groups, 0.1), (x, *scale))


class LocalResponseNorm(Function, name="local_response_norm"):
    """y = x·S^−β with S = k + α/n·Σ x², summed over n neighbouring channels.

    x (N, C, space...) → y as x, the batch innermost in memory; the sum for channel c
    runs from c − ⌊n/2⌋ to c + ⌊(n − 1)/2⌋, as in PyTorch (Krizhevsky et al. 2012,
    section 3.3, there without 1/n). With u = dL/dy·x·S^(−β − 1):
    dL/dx = dL/dy·S^−β − 2·α·β/n·x·Σ u, over the channels whose sums hold x.

    Args:
        size: How many channels n are summed over.
        alpha: The factor α of the mean square.
        beta: The exponent β.
        k: What is added, so that nothing is divided by 0.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    layout = "any"
    real = True
    saves_output = False

    def allocate(self, x: Array) -> Array:
        if x.ndim < 3 or not x.size:
            raise ShapeError(
                f"local_response_norm: expected inputs of shape (N, C, space...), got "
                f"{x.shape}."
            )
        channels = x.shape[1]
        shifts = [i - self.size // 2 for i in range(self.size)]
        parts = tuple(
            Part(
                slice(max(0, -shift), channels - max(0, shift)),
                slice(max(0, shift), channels - max(0, -shift)),
            )
            for shift in shifts
            if abs(shift) < channels
        )
        self.windows = Windows(channels, channels, parts, (self.size,) * channels)
        self.form = Form.of(batch_innermost(x.shape, x.dtype))
        return self.form.empty()

    def _sums(self, squares: Array, out: Array) -> None:
        """Write S, given room for squares; (C, space, N) both."""
        xp.multiply(channels_first(self.x), channels_first(self.x), out=squares)
        combine(xp.add, 0, self.windows, 0, squares, out)
        xp.multiply(out, self.alpha / self.size, out=out)
        xp.add(out, self.k, out=out)

    def forward(self, x: Array, out: Array) -> None:
        self.x = x
        room, total = map(channels_first, scratches(self.form, self.form))
        self._sums(room, total)
        xp.power(total, -self.beta, out=total)
        xp.multiply(channels_first(x), total, out=channels_first(out))

    def backward(self, grad: Array, dx: Array) -> None:
        x, g, d = map(channels_first, (self.x, grad, dx))
        room, total, sums = map(
            channels_first, scratches(self.form, self.form, self.form)
        )
        self._sums(room, total)
        xp.power(total, -self.beta, out=room)
        xp.multiply(g, room, out=room)
        xp.divide(room, total, out=total)
        xp.multiply(total, x, out=total)
        spread(self.windows, 0, total, sums)
        xp.multiply(sums, x, out=sums)
        xp.multiply(sums, 2 * self.alpha * self.beta / self.size, out=sums)
        xp.subtract(room, sums, out=d)

    def flops(self, *arrays: Sized) -> int:
        """Count the sum, a power and four operations an element."""
        return (self.size + 5) * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Odd and even sums, more channels than there are, other exponents."""
        for size, shape in ((1, (2, 3, 2)), (3, (2, 4, 2, 2)), (4, (3, 3, 4))):
            yield Case(cls(size, 0.3, 0.6, 2.0), (rng.normal(size=shape),))
        yield Case(cls(7, 0.1), (rng.normal(size=(2, 3, 1, 2, 2)),))
