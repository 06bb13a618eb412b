"""Lstm: the cell with a memory of its own, and gates to it."""

from __future__ import annotations

from typing import Any

from nncli.core.arrays import Array, xp
from nncli.ops.cell import sigmoid
from nncli.ops.recurrent import Recurrent


class Lstm(Recurrent, name="lstm"):
    """c_t = f·c_(t−1) + i·g, h_t = o·tanh(c_t); see ``Recurrent``.

    i, f, o = σ(a), g = tanh(a), each with its block of a = W x_t + b + U h_(t−1), in
    PyTorch's order i, f, g, o.
    With dc = dL/dc_t + dh·o·(1 − tanh²(c)):
    da_i = dc·g·i·(1 − i), da_f = dc·c_(t−1)·f·(1 − f), da_g = dc·i·(1 − g²),
    da_o = dh·tanh(c)·o·(1 − o), dc_(t−1) = dc·f, dh_(t−1) = Uᵀ da.
    Source: Hochreiter and Schmidhuber 1997; with f, Gers et al. 2000; PyTorch's LSTM,
    where b is split in two.
    """

    # In memory o comes first, and one exponential makes all: tanh(a) = 2·σ(2a) − 1.
    order = (3, 0, 1, 2)
    recurrent_order = (3, 0, 1, 2)
    scales = (-1.0, -1.0, -1.0, -2.0)
    slopes = 4
    memories = 2
    differentiable = (True, True, True, True, True, True, False)

    def make_room(self) -> None:
        """Make the tanh of the memory, and room for a step's products."""
        n, t, _, units = self.sizes
        self.tanh_cell = self.empty(t, n, units)
        self.sums = self.empty(4, n, units)

    def views(self, k: int) -> tuple[Any, ...]:
        cells, a = self.kept[1], self.gates[:, k]
        states = cells[k], cells[k + 1], self.tanh_cell[k], self.hidden[k + 1]
        return self.recurrent_inputs[k], a, *a[1:], a[0], *states

    def step(self, *views: Any) -> None:
        before, a, i, f, g, o, old, c, tanh_cell, h = views
        sums = self.sums
        xp.matmul(before, self.recurrents, out=sums)
        xp.add(a, sums, out=a)
        self.sigmoid_of_negated(a)
        xp.multiply(g, 2, out=g)
        xp.subtract(g, 1, out=g)
        xp.multiply(f, old, out=c)
        xp.multiply(i, g, out=h)
        xp.add(c, h, out=c)
        xp.tanh(c, out=tanh_cell)
        xp.multiply(o, tanh_cell, out=h)

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

    def write_factors(self, steps: slice, factors: Array) -> None:
        """Write dh's factor in da_o, dc's in da_i, da_f and da_g, and dh's in dc."""
        gates = self.gates[:, steps]
        o, i, _, g = gates
        tanh_cell, sigmoids = self.tanh_cell[steps], factors[:3]
        to_o, to_i, to_f, to_g, to_c = factors
        xp.multiply(gates[:3], gates[:3], out=sigmoids)
        xp.subtract(gates[:3], sigmoids, out=sigmoids)
        xp.multiply(to_o, tanh_cell, out=to_o)
        xp.multiply(to_i, g, out=to_i)
        xp.multiply(to_f, self.kept[1][steps], out=to_f)
        for tanh, gate, factor in ((g, i, to_g), (tanh_cell, o, to_c)):
            xp.multiply(tanh, tanh, out=factor)
            xp.subtract(1, factor, out=factor)
            xp.multiply(factor, gate, out=factor)

    def step_back(
        self,
        k: int,
        factors: Array,
        dh: Array,
        direct: Array,
        block: Array,
        *cells: Array,
    ) -> bool:
        (dc,), to_c = cells, factors[4]
        xp.multiply(dh, to_c, out=to_c)
        xp.add(dc, to_c, out=dc)
        xp.multiply(factors[0], dh, out=block[0])
        xp.multiply(factors[1:4], dc, out=block[1:])
        xp.multiply(dc, self.gates[2, k], out=dc)
        return False
