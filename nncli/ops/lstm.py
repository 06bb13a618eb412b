"""Lstm: the cell with a memory of its own, and gates to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.recurrent import Recurrent, sigmoid
from nncli.ops.recurrent_cases import recurrent_cases


class Lstm(Recurrent, name="lstm"):
    """c_t = f·c_(t−1) + i·g, h_t = o·tanh(c_t); see ``Recurrent``.

    i, f, o = σ(a), g = tanh(a), each with its block of a = W x_t + b + U h_(t−1).
    PyTorch's blocks are i, f, g, o; here the sigmoids lie side by side: i, f, o, g.
    With dc = dL/dc_t + dh·o·(1 − tanh²(c)):
    da_i = dc·g·i·(1 − i), da_f = dc·c_(t−1)·f·(1 − f), da_g = dc·i·(1 − g²),
    da_o = dh·tanh(c)·o·(1 − o), dc_(t−1) = dc·f, dh_(t−1) = Uᵀ da.
    Source: Hochreiter and Schmidhuber 1997; with f, Gers et al. 2000; PyTorch's LSTM,
    where b is split in two.
    """

    order = (0, 1, 3, 2)
    recurrent_order = (0, 1, 3, 2)
    sigmoids = slice(0, 3)
    slopes = 4
    memories = 2
    differentiable = (True, True, True, True, True, True, False)

    def make_room(self) -> None:
        """Make the tanh of the memory, and room for a step's products."""
        n, t, _, units = self.sizes
        self.bent = self.empty(t, n, units)
        self.sums = self.empty(4, n, units)

    def views(self, k: int) -> tuple[Any, ...]:
        cells, a = self.kept[1], self.gates[:, k]
        states = cells[k], cells[k + 1], self.bent[k], self.hidden[k + 1]
        return self.fed[k], a, a[:3], *a, *states

    def step(self, *views: Any) -> None:
        before, a, sigmoids, i, f, o, g, old, c, bent, h = views
        sums = self.sums
        xp.matmul(before, self.recurrents, out=sums)
        xp.add(a, sums, out=a)
        self.squash(sigmoids)
        xp.tanh(g, out=g)
        xp.multiply(f, old, out=c)
        xp.multiply(i, g, out=h)
        xp.add(c, h, out=c)
        xp.tanh(c, out=bent)
        xp.multiply(o, bent, out=h)

    def advance(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        weight, bias, recurrent, h, c = arrays
        a = x @ weight.T
        a += bias
        a += h @ recurrent.T
        units = h.shape[1]
        g = xp.tanh(a[:, 2 * units : 3 * units])
        # For small arrays one call is faster than three, though g needs none.
        gates = sigmoid(a)
        i, f, o = gates[:, :units], gates[:, units : 2 * units], gates[:, 3 * units :]
        c = f * c + i * g
        return o * xp.tanh(c), c

    def step_back(
        self,
        k: int,
        block: Array,
        dh: Array,
        work: Array,
        direct: Array,
        *cells: Array,
    ) -> bool:
        _, _, sigmoids, i, f, o, g, old, _, bent, _ = self.steps[k]
        (dc,), (di, df, do, dg), one = cells, block, work[0]
        xp.multiply(dh, o, out=one)
        xp.multiply(one, bent, out=do)
        xp.multiply(do, bent, out=di)
        xp.subtract(one, di, out=one)
        xp.add(dc, one, out=dc)
        xp.multiply(dc, i, out=dg)
        xp.multiply(dg, g, out=di)
        xp.multiply(di, g, out=one)
        xp.subtract(dg, one, out=dg)
        xp.multiply(dc, f, out=dc)
        xp.multiply(dc, old, out=df)
        # Of s·(1 − s), the s is there already.
        xp.multiply(block[:3], sigmoids, out=work[:3])
        xp.subtract(block[:3], work[:3], out=block[:3])
        return False

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Those of all recurrent ops."""
        yield from recurrent_cases(cls, rng)
