"""Normalization of each row by itself: by groups of channels, or by neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, batch_innermost, xp
from nncli.core.errors import ShapeError
from nncli.ops.images import channels_first, groups_of
from nncli.ops.windows import Part, Windows, combine, spread

RUN = 256
"""Elements of a run of memory, at least: shorter ones take as long."""


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
        n, channels = x.shape[:2]
        self.wide = channels // self.groups
        self.count = x.size // (n * self.groups)
        space = self.count // self.wide
        # Short runs of memory cost as much as long ones: some elements of the image
        # are one run, and what belongs to a row of the batch is repeated for each.
        self.repeats = next(
            (k for k in range(1, space) if space % k == 0 and k * n >= RUN), space
        )
        run = self.repeats * n
        self.mean, self.inverse = (
            xp.empty((self.groups, 1, run), x.dtype) for _ in range(2)
        )
        step = max(1, groups_of(x)[0].stop // self.wide)
        self.steps = [
            slice(g, min(g + step, self.groups)) for g in range(0, self.groups, step)
        ]
        # A group of channels as (channels, space, run): sums are products with ones.
        self.form = form((step * self.wide, space // self.repeats, run), x.dtype)
        self.column = form((step * self.wide, 1, run), x.dtype)
        self.row = form((step, 1, run), x.dtype)
        self.ones = xp.ones((1, self.count // self.repeats), x.dtype)
        return batch_innermost(x.shape, x.dtype)

    def forward(self, x: Array, *rest: Array) -> None:
        """Called as (x, gamma, beta, out) or (x, out)."""
        *scale, out = rest
        self.x, self.scale = x, scale
        source, y = channels_first(x), channels_first(out)
        room, column = scratches(self.form, self.column)
        for groups in self.steps:
            channels = self._channels(groups)
            part = self._flat(source[channels], room)
            mean, inverse = self.mean[groups], self.inverse[groups]
            rows = self._together(part, groups)
            xp.matmul(self.ones, rows, out=mean)
            self._share(mean)
            values = y[channels].reshape(part.shape)
            centred = self._together(values, groups)
            xp.subtract(rows, mean, out=centred)
            xp.einsum("gsn,gsn->gn", centred, centred, out=inverse[:, 0])
            self._share(inverse)
            xp.add(inverse, self.eps, out=inverse)
            xp.sqrt(inverse, out=inverse)
            xp.divide(1, inverse, out=inverse)
            factors = column[: len(part)]
            self._factors(groups, factors)
            xp.multiply(values, factors, out=values)
            if scale:
                xp.add(values, scale[1][channels, None, None], out=values)

    def _channels(self, groups: slice) -> slice:
        return slice(groups.start * self.wide, groups.stop * self.wide)

    def _flat(self, part: Array, room: Array) -> Array:
        """Return (channels, space..., N) as (channels, space, run), or a copy."""
        flat = room[: len(part)]
        if part.flags.c_contiguous:
            return part.reshape(flat.shape)
        whole = flat.reshape(part.shape)
        xp.copyto(whole, part)
        return flat

    def _together(self, part: Array, groups: slice) -> Array:
        """Return (channels, space, run) as (groups, what is normalized, run)."""
        return part.reshape(groups.stop - groups.start, -1, part.shape[-1])

    def _share(self, sums: Array) -> None:
        """Make of the sums of each place in a run the means of the batch's rows."""
        by_row = sums.reshape(len(sums), self.repeats, -1)
        if self.repeats > 1:
            xp.copyto(by_row, xp.add.reduce(by_row, axis=1, keepdims=True))
        xp.divide(sums, self.count, out=sums)

    def _factors(self, groups: slice, out: Array) -> None:
        """Write γ / √(σ² + ε) for each channel and row."""
        into = out.reshape(groups.stop - groups.start, self.wide, -1)
        xp.copyto(into, self.inverse[groups])
        if self.scale:
            gamma = self.scale[0][self._channels(groups), None, None]
            xp.multiply(out, gamma, out=out)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None = None,
        dbeta: Array | None = None,
    ) -> None:
        """Sum up over space first: what is left are a few numbers a channel."""
        source, upstream = channels_first(self.x), channels_first(grad)
        room, spare, work, along, total, factor, slope, shift = scratches(
            *[self.form] * 3, *[self.column] * 3, *[self.row] * 2
        )
        for groups in self.steps:
            channels = self._channels(groups)
            centred = room[: self.wide * (groups.stop - groups.start)]
            rows = self._together(centred, groups)
            part = self._together(self._flat(source[channels], room), groups)
            xp.subtract(part, self.mean[groups], out=rows)
            g = self._flat(upstream[channels], spare)
            a, b, f = (e[: len(g)] for e in (along, total, factor))
            xp.einsum("csn,csn->cn", g, centred, out=a[:, 0])
            xp.matmul(self.ones[:, : g.shape[1]], g, out=b)
            if dbeta is not None:
                xp.add.reduce(b[:, 0], axis=1, out=dbeta[channels])
            inverse = self.inverse[groups]
            grouped = self._together(a, groups)
            xp.multiply(grouped, inverse, out=grouped)
            if dgamma is not None:
                xp.add.reduce(a[:, 0], axis=1, out=dgamma[channels])
            if dx is None:
                continue
            self._factors(groups, f)
            # With γ in front: mean(g·x̂) / (σ² + ε), and mean(g) / √(σ² + ε).
            xp.multiply(a, f, out=a)
            xp.multiply(b, f, out=b)
            slopes, shifts = slope[: len(inverse)], shift[: len(inverse)]
            for sums, means in ((grouped, slopes), (self._together(b, groups), shifts)):
                xp.matmul(self.ones[:, : self.wide], sums, out=means)
                self._share(means)
            xp.multiply(slopes, inverse, out=slopes)
            xp.multiply(rows, slopes, out=rows)
            xp.add(rows, shifts, out=rows)
            d = channels_first(dx)[channels]
            inward = d.flags.c_contiguous
            into = d.reshape(g.shape) if inward else work[: len(g)]
            xp.multiply(g, f, out=into)
            xp.subtract(into, centred, out=into)
            if not inward:
                xp.copyto(d, into.reshape(d.shape))

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
