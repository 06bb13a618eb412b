"""Average pooling, and its generalization to other norms than the sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nncli.autograd.buffers import Form, form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, batch_innermost, xp
from nncli.ops.images import channels_first
from nncli.ops.windows import (
    Adaptive,
    Placing,
    Plan,
    Sliding,
    combine,
    pooled_flops,
    spread,
)


class SumPool(Function):
    """Base of pooling by sums over windows.

    Args:
        placing: Where the windows lie.
    """

    placing: Placing

    layout = "any"
    real = True

    def allocate(self, x: Array) -> Array:
        self.plan = Plan(self.type_name, self.placing, x)
        out = batch_innermost(self.plan.shape, x.dtype)
        # One window over everything is a product with ones.
        whole = all(w.count == 1 and w.covers and w.apart for w in self.plan.windows)
        ones = xp.ones((1, x[0, 0].size), x.dtype)
        self.total = ones if whole else None
        return out

    def flops(self, *arrays: Sized) -> int:
        return pooled_flops(self.placing, *arrays)

    def sum(self, x: Array, y: Array, room: Sequence[Array]) -> None:
        """Write the sums over a group's windows."""
        if self.total is not None and x.flags.c_contiguous:
            flat = x.reshape(len(x), -1, x.shape[-1])
            xp.matmul(self.total, flat, out=y.reshape(len(x), 1, -1))
            return
        for (axis, windows), into in zip(
            self.plan.downwards(), (*room, y), strict=True
        ):
            target = into[: len(x)]
            combine(xp.add, 0, windows, axis, x, target)
            x = target

    def spread(self, grad: Array, dx: Array, room: Sequence[Array]) -> None:
        """Write for each element of a group the sum of its windows' gradients."""
        for (axis, windows), into in zip(
            self.plan.downwards()[::-1], (*room[::-1], dx), strict=True
        ):
            target = into[: len(grad)]
            spread(windows, axis, grad, target)
            grad = target


class AveragePool(SumPool, name="average_pool"):
    """y = mean of each window, channel by channel; dL/dx = Σ dL/dy / count.

    x (N, C, space...) → y (N, C, counts...), the batch innermost in memory, summed
    over all windows that an element lies in.

    Args:
        placing: Where the windows lie.
        count_padding: Divide by the elements of a window, those of the padding (0)
            included, as PyTorch's count_include_pad.
    """

    count_padding: bool = True

    saves_inputs = False
    saves_output = False

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        share = xp.ones((), x.dtype)
        for windows in self.plan.windows:
            counts = windows.padded if self.count_padding else windows.filled
            share = share[..., None] / xp.array(counts, x.dtype)
        even = bool((share == share.flat[0]).all())
        self.share = share.reshape(-1)[:1] if even else share[..., None]
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Sum along the last axis, then along the one before it, and divide."""
        parts, y = channels_first(x), channels_first(out)
        room = scratches(*self.plan.forms[:-1]) if y.ndim > 3 else ()
        for group in self.plan.groups:
            self.sum(parts[group], y[group], room)
            xp.multiply(y[group], self.share, out=y[group])

    def backward(self, grad: Array, dx: Array) -> None:
        """Divide, and hand on along the first axis, then along the next one."""
        g, d = channels_first(grad), channels_first(dx)
        *room, scaled = scratches(*self.plan.forms)
        for group in self.plan.groups:
            held = scaled[: len(g[group])]
            xp.multiply(g[group], self.share, out=held)
            self.spread(held, d[group], room)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Windows side by side, overlapping, padded and counted or not, uneven."""
        for placing, shape in (
            (Sliding((2, 2)), (2, 2, 6, 4)),
            (Sliding((2, 2)), (2, 2, 5, 7)),
            (Sliding((3, 2), (2, 1), (1, 1), (), True), (3, 2, 6, 5)),
            (Sliding((3,), (2,), (1,), (), True), (2, 3, 9)),
            (Sliding((2, 1, 3), (1, 2, 2)), (2, 1, 3, 3, 5)),
            (Adaptive((3, 2)), (2, 2, 5, 4)),
        ):
            for counted in (True, False):
                yield Case(cls(placing, counted), (rng.normal(size=shape),))


class LpPool(SumPool, name="lp_pool"):
    """y = (Σ |x|^p)^(1/p) over each window, channel by channel.

    x (N, C, space...) → y (N, C, counts...), the batch innermost in memory;
    dL/dx = Σ dL/dy · sign(x)·(|x| / y)^(p − 1) over its windows, 0 where y is 0. For
    p = 1 it is the sum of absolute values, for p → ∞ the maximum. As in PyTorch, the
    sum over a window that reaches beyond the end (``ceil_mode``) is extrapolated to
    the whole window. PyTorch takes x^p, without the absolute value, which for odd p
    is another function of negative x.

    Args:
        placing: Where the windows lie.
        norm: The exponent p.
    """

    norm: float = 2.0

    def allocate(self, x: Array) -> Array:
        out = super().allocate(x)
        share = xp.ones((), x.dtype)
        for windows in self.plan.windows:
            whole = max(windows.padded)
            share = share[..., None] * (whole / xp.array(windows.padded, x.dtype))
        self.share = share[..., None]
        n, _, *space = x.shape
        step = self.plan.forms[-1].shape[0]
        self.group: Form = form((step, *space, n), x.dtype)
        self.mask = form(self.plan.forms[-1].shape, bool)
        return out

    def forward(self, x: Array, out: Array) -> None:
        """Sum powers along the last axis, then the one before it; take the root."""
        self.x, self.out = x, out
        parts, y = channels_first(x), channels_first(out)
        powers, *room = scratches(self.group, *self.plan.forms[:-1])
        for group in self.plan.groups:
            held, total = powers[: len(parts[group])], y[group]
            xp.abs(parts[group], out=held)
            self._power(held, self.norm)
            self.sum(held, total, room)
            xp.multiply(total, self.share, out=total)
            self._power(total, 1 / self.norm)

    @staticmethod
    def _power(x: Array, exponent: float) -> None:
        """Raise to a power in place."""
        if exponent == 2:
            xp.multiply(x, x, out=x)
        elif exponent == 0.5:
            xp.sqrt(x, out=x)
        elif exponent != 1:
            xp.power(x, exponent, out=x)

    def backward(self, grad: Array, dx: Array) -> None:
        x, y, g, d = map(channels_first, (self.x, self.out, grad, dx))
        powers, mask, *room, slope = scratches(self.group, self.mask, *self.plan.forms)
        for group in self.plan.groups:
            count = len(x[group])
            held, none, mine = powers[:count], mask[:count], slope[:count]
            xp.equal(y[group], 0, out=none)
            xp.copyto(mine, y[group])
            self._power(mine, self.norm - 1)
            xp.divide(g[group], mine, out=mine)
            xp.multiply(mine, self.share, out=mine)
            xp.copyto(mine, 0, where=none)
            self.spread(mine, d[group], room)
            self._slope(x[group], held)
            xp.multiply(d[group], held, out=d[group])

    def _slope(self, x: Array, out: Array) -> None:
        """Write sign(x)·|x|^(p − 1), which is 0 at 0."""
        if self.norm == 1:
            xp.sign(x, out=out)
        else:
            xp.abs(x, out=out)
            self._power(out, self.norm - 1)
            xp.copysign(out, x, out=out)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Sums, squares and other powers; windows that reach beyond the end."""
        for norm in (1.0, 2.0, 3.5):
            for placing, shape in (
                (Sliding((2, 2)), (2, 2, 4, 4)),
                (Sliding((3, 2), (2, 1), (), (), True), (3, 2, 6, 5)),
                (Sliding((2,)), (2, 2, 5)),
            ):
                yield Case(cls(placing, norm), (rng.normal(size=shape),))
