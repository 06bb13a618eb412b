"""Batch normalization of channels in training, and of anything in use."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError
from nncli.ops.images import channels_first, groups_of


class ByChannel(Function):
    """Base of functions that take x (N, C, ...) channel by channel.

    Channels are taken in groups that stay in a core's cache, as (channels, space, N).

    Attributes:
        groups: Channels that are computed together.
        form: That of a group.
        count: How many elements a channel has.
    """

    layout = "any"
    saves_output = False

    def allocate(self, x: Array, gamma: Array, beta: Array) -> Array:
        if x.ndim < 2 or x.shape[1] != gamma.size or not x.size:
            raise ShapeError(
                f"{self.type_name}: expected inputs of shape (N, {gamma.size}, ...), "
                f"got {x.shape}."
            )
        n, channels, *space = x.shape
        self.groups = groups_of(x)
        self.form = form((self.groups[0].stop, *space, n), x.dtype)
        self.count = x.size // channels
        # A product with ones is the fastest sum along memory.
        self.ones = xp.ones(self.count, x.dtype)
        self.along = (-1, *(1,) * (x.ndim - 1))
        return Form.of(x).empty()

    def rows(self, part: Array, room: Array) -> Array:
        """Return a group as a matrix, one row a channel; copied where it must be."""
        if not part.flags.c_contiguous:
            xp.copyto(room[: len(part)], part)
            part = room[: len(part)]
        return part.reshape(len(part), self.count)


class ChannelBatchNorm(ByChannel, name="channel_batch_norm"):
    """y = γ·x̂ + β with x̂ = (x − μ) / √(σ² + ε), statistics of each channel.

    x (N, C, space...), γ (C,), β (C,) → y as x, with μ and the biased variance σ² over
    all M = N·space elements of a channel: batch_norm where features are
    channels. With g = γ·dL/dy:
    dL/dx = (g − mean(g) − x̂·mean(g·x̂)) / √(σ² + ε),
    dL/dγ = Σ dL/dy·x̂, dL/dβ = Σ dL/dy.

    Args:
        running_mean: (C,), overwritten by every forward pass.
        running_var: (C,), overwritten by every forward pass.
        momentum: The weight m of the newest batch.
        eps: The ε under the root.
    """

    running_mean: Array
    running_var: Array
    momentum: float = 0.1
    eps: float = 1e-5

    saves_inputs = (True, True, False)

    def allocate(self, x: Array, gamma: Array, beta: Array) -> Array:
        """Make the output and room for one number a channel."""
        out = super().allocate(x, gamma, beta)
        if self.count < 2:
            raise ShapeError(
                f"channel_batch_norm: expected at least 2 elements in each channel of "
                f"a training batch, got shape {x.shape}: one has no variance."
            )
        self.mean, self.var, self.inverse, self.factor, self.work = (
            xp.empty(gamma.shape, x.dtype) for _ in range(5)
        )
        return out

    def forward(self, x: Array, gamma: Array, beta: Array, out: Array) -> None:
        """Normalize with the batch's statistics and move the running ones."""
        self.x, self.gamma = x, gamma
        parts, y = channels_first(x), channels_first(out)
        (room,) = scratches(self.form)
        shift = beta.reshape(self.along)
        for group in self.groups:
            part, mean, var = parts[group], self.mean[group], self.var[group]
            xp.matmul(self.rows(part, room), self.ones, out=mean)
            xp.divide(mean, self.count, out=mean)
            # In the output itself, where that can be: one buffer less in the cache.
            inward = y[group].flags.c_contiguous
            centred = self._centred(group, y[group] if inward else room)
            rows = centred.reshape(len(part), self.count)
            xp.vecdot(rows, rows, out=var)
            xp.divide(var, self.count, out=var)
            self._factors(group)
            factor = self.factor[group].reshape(self.along)
            xp.multiply(centred, factor, out=y[group])
            xp.add(y[group], shift[group], out=y[group])
        self._move(self.running_mean, self.mean, 1.0)
        self._move(self.running_var, self.var, self.count / (self.count - 1))

    def _centred(self, group: slice, room: Array) -> Array:
        """Return x − μ of a group."""
        part = channels_first(self.x)[group]
        mean = self.mean[group].reshape(self.along)
        return xp.subtract(part, mean, out=room[: len(part)])

    def _factors(self, group: slice) -> None:
        """Write 1 / √(σ² + ε), and γ times that."""
        inverse = self.inverse[group]
        xp.add(self.var[group], self.eps, out=inverse)
        xp.sqrt(inverse, out=inverse)
        xp.divide(1, inverse, out=inverse)
        xp.multiply(self.gamma[group], inverse, out=self.factor[group])

    def _move(self, running: Array, batch: Array, factor: float) -> None:
        """Write r ← (1 − m)·r + m·factor·batch."""
        xp.multiply(batch, self.momentum * factor, out=self.work)
        xp.multiply(running, 1 - self.momentum, out=running)
        xp.add(running, self.work, out=running)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None:
        g = channels_first(grad)
        room, spare = scratches(self.form, self.form)
        for group in self.groups:
            centred = self._centred(group, room)
            rows = self.rows(g[group], spare)
            inverse, slope = self.inverse[group], self.work[group]
            # Σ g·x̂, with the factor of x̂ outside of the sum.
            xp.vecdot(rows, centred.reshape(rows.shape), out=slope)
            xp.multiply(slope, inverse, out=slope)
            if dgamma is not None:
                xp.copyto(dgamma[group], slope)
            total = xp.matmul(rows, self.ones)
            if dbeta is not None:
                xp.copyto(dbeta[group], total)
            if dx is not None:
                d = channels_first(dx)[group]
                xp.multiply(slope, inverse, out=slope)
                for each in (slope, total):
                    xp.divide(each, self.count, out=each)
                xp.multiply(centred, slope.reshape(self.along), out=centred)
                xp.subtract(g[group], total.reshape(self.along), out=d)
                xp.subtract(d, centred, out=d)
                xp.multiply(d, self.factor[group].reshape(self.along), out=d)

    def flops(self, *arrays: Sized) -> int:
        """Count about six operations an element."""
        return 6 * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Sequences, images and volumes; two elements a channel, and more."""
        for shape, momentum in (
            ((2, 3, 1), 0.1),
            ((1, 3, 4), 0.1),
            ((3, 2, 2, 3), 0.9),
            ((2, 2, 2, 1, 3), 0.1),
        ):
            c = shape[1]
            function = cls(xp.zeros(c), xp.ones(c), momentum, 1e-3)
            x = rng.normal(1.0, 2.0, shape)
            yield Case(function, (x, rng.normal(size=c), rng.normal(size=c)))


class BatchNormInUse(ByChannel, name="batch_norm_in_use"):
    """y = γ·(x − μ) / √(σ² + ε) + β with statistics that are given.

    x (N, C, ...), γ (C,), β (C,) → y as x; with x̂ = (x − μ) / √(σ² + ε):
    dL/dx = dL/dy·γ / √(σ² + ε), dL/dγ = Σ dL/dy·x̂, dL/dβ = Σ dL/dy.

    Args:
        mean: (C,) the means μ.
        var: (C,) the variances σ².
        eps: The ε under the root.
    """

    mean: Array
    var: Array
    eps: float = 1e-5

    saves_inputs = (True, True, False)

    def allocate(self, x: Array, gamma: Array, beta: Array) -> Array:
        out = super().allocate(x, gamma, beta)
        self.inverse, self.factor = (xp.empty(gamma.shape, x.dtype) for _ in range(2))
        return out

    def forward(self, x: Array, gamma: Array, beta: Array, out: Array) -> None:
        """Centre, scale and shift each group while it is in the cache."""
        self.x = x
        parts, y = channels_first(x), channels_first(out)
        xp.add(self.var, self.eps, out=self.inverse)
        xp.sqrt(self.inverse, out=self.inverse)
        xp.divide(1, self.inverse, out=self.inverse)
        xp.multiply(gamma, self.inverse, out=self.factor)
        mean, factor, shift = (
            each.reshape(self.along) for each in (self.mean, self.factor, beta)
        )
        for group in self.groups:
            xp.subtract(parts[group], mean[group], out=y[group])
            xp.multiply(y[group], factor[group], out=y[group])
            xp.add(y[group], shift[group], out=y[group])

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dgamma: Array | None,
        dbeta: Array | None,
    ) -> None:
        g, x = channels_first(grad), channels_first(self.x)
        room, spare = scratches(self.form, self.form)
        mean, factor = (each.reshape(self.along) for each in (self.mean, self.factor))
        for group in self.groups:
            rows = self.rows(g[group], spare)
            if dgamma is not None:
                centred = room[: len(rows)]
                xp.subtract(x[group], mean[group], out=centred)
                total = dgamma[group]
                xp.vecdot(rows, centred.reshape(rows.shape), out=total)
                xp.multiply(total, self.inverse[group], out=total)
            if dbeta is not None:
                xp.matmul(rows, self.ones, out=dbeta[group])
            if dx is not None:
                xp.multiply(g[group], factor[group], out=channels_first(dx)[group])

    def flops(self, *arrays: Sized) -> int:
        """Count three operations an element."""
        return 3 * arrays[-1].size

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Features, sequences and images."""
        for shape in ((1, 3), (4, 2), (2, 3, 4), (2, 2, 2, 3)):
            c = shape[1]
            function = cls(rng.normal(size=c), rng.uniform(0.5, 2, c), 1e-3)
            x = rng.normal(1.0, 2.0, shape)
            yield Case(function, (x, rng.normal(size=c), rng.normal(size=c)))
