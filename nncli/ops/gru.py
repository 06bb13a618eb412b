"""Gru: the gated recurrent unit, with its reset after or before the product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nncli.core.arrays import Array, xp
from nncli.ops.cell import sigmoid
from nncli.ops.recurrent import Recurrent


class GatedUnit(Recurrent):
    """Base of both: h_t = (1 − z)·n + z·h_(t−1).

    Class attributes:
        products: How many products of a state are made at once.
    """

    # In memory n comes first: both sigmoids are one piece.
    order = (2, 0, 1)
    scales = (1.0, -1.0, -1.0)
    products: ClassVar[int]

    def make_room(self) -> None:
        """Make room for what r changes at all steps, and for a step's products."""
        n, t, _, units = self.sizes
        self.terms = self.empty(t, n, units)
        self.sums = self.empty(self.products, n, units)

    def views(self, k: int) -> tuple[Any, ...]:
        a, old, h = self.gates[:, k], self.hidden[k], self.hidden[k + 1]
        return self.recurrent_inputs[k], old, *a, a[1:], self.terms[k], h


class Gru(GatedUnit, name="gru"):
    """h_t = (1 − z)·n + z·h_(t−1) with n = tanh(W x_t + b + r·(U h_(t−1) + v)).

    r, z = σ(a), each with its block of a = W x_t + b + U h_(t−1); see ``Recurrent``.
    Blocks are in PyTorch's order r, z, n. v (H,) is a parameter behind U.
    With dh = dL/dh_t and u = U h_(t−1) + v:
    da_n = dh·(1 − z)·(1 − n²), du = da_n·r, da_r = da_n·u·r·(1 − r),
    da_z = dh·(h_(t−1) − n)·z·(1 − z), dh_(t−1) = dh·z + Uᵀ (da_r, da_z, du).
    Source: Cho et al. 2014, with the reset behind the product; PyTorch's GRU, where
    the b of r and z are split in two.
    """

    recurrent_order = (0, 1, 2)
    slopes = 4
    extras = 1
    products = 3
    differentiable = (True, True, True, True, True, True, False)

    def take_extras(self, *extras: Array) -> None:
        (self.offset,) = extras

    def step(self, *views: Any) -> None:
        before, old, n, r, z, both, u, h = views
        sums = self.sums
        xp.matmul(before, self.recurrents, out=sums)
        xp.add(both, sums[:2], out=both)
        self.sigmoid_of_negated(both)
        xp.add(sums[2], self.offset, out=u)
        xp.multiply(r, u, out=h)
        xp.add(n, h, out=n)
        xp.tanh(n, out=n)
        mixed(z, old, n, h)

    def advance(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        weight, bias, recurrent, offset, h = arrays
        a, u = x @ weight.T, h @ recurrent.T
        a += bias
        units = h.shape[1]
        both = sigmoid(a[:, : 2 * units] + u[:, : 2 * units])
        r, z = both[:, :units], both[:, units:]
        n = xp.tanh(a[:, 2 * units :] + r * (u[:, 2 * units :] + offset))
        return (n + z * (h - n),)

    def write_factors(self, steps: slice, factors: Array) -> None:
        """Write dh's factor in da_n, da_r, da_z and du."""
        n, r, z = self.gates[:, steps]
        to_n, to_r, to_z, to_u, _ = factors
        unmixed(n, z, self.hidden[steps], to_n, to_z, to_u)
        xp.multiply(to_n, r, out=to_u)
        xp.subtract(1, r, out=to_r)
        xp.multiply(to_r, to_u, out=to_r)
        xp.multiply(to_r, self.terms[steps], out=to_r)

    def step_back(
        self,
        k: int,
        factors: Array,
        dh: Array,
        direct: Array,
        block: Array,
        *cells: Array,
    ) -> bool:
        xp.multiply(factors[:4], dh, out=block)
        xp.multiply(dh, self.gates[2, k], out=direct)
        return True

    def differentiate_extras(
        self, rows: Array, targets: Sequence[Array | None]
    ) -> None:
        if targets[0] is not None:
            xp.add.reduce(rows[:, self.block(3)], axis=0, out=targets[0])


class GruResetBefore(GatedUnit, name="gru_reset_before"):
    """h_t = (1 − z)·n + z·h_(t−1) with n = tanh(W x_t + b + U (r·h_(t−1))).

    The unit as it was published, which resets the state before the product; else as
    ``Gru``. With q = r·h_(t−1) and dq = Uᵀ da_n:
    da_r = dq·h_(t−1)·r·(1 − r), dh_(t−1) = dh·z + dq·r + Uᵀ (da_r, da_z).
    Source: Cho et al. 2014; Keras' GRU with reset_after=False.
    """

    recurrent_order = (2, 0, 1)
    slopes = 3
    products = 2
    differentiable = (True, True, True, True, True, False)

    def make_room(self) -> None:
        super().make_room()
        self.passing = self.backs[self.block(1).start :]

    def step(self, *views: Any) -> None:
        before, old, n, r, z, both, reset, h = views
        xp.matmul(before, self.recurrents[1:], out=self.sums)
        xp.add(both, self.sums, out=both)
        self.sigmoid_of_negated(both)
        xp.multiply(r, before, out=reset)
        xp.matmul(reset, self.recurrents[0], out=h)
        xp.add(n, h, out=n)
        xp.tanh(n, out=n)
        mixed(z, old, n, h)

    def advance(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        weight, bias, recurrent, h = arrays
        a, units = x @ weight.T, h.shape[1]
        a += bias
        both = sigmoid(a[:, : 2 * units] + h @ recurrent[: 2 * units].T)
        r, z = both[:, :units], both[:, units:]
        n = xp.tanh(a[:, 2 * units :] + (r * h) @ recurrent[2 * units :].T)
        return (n + z * (h - n),)

    def write_factors(self, steps: slice, factors: Array) -> None:
        """Write dh's factor in da_n and da_z, and dq's in da_r."""
        n, r, z = self.gates[:, steps]
        to_n, to_r, to_z, one = factors
        unmixed(n, z, self.hidden[steps], to_n, to_z, one)
        xp.multiply(r, r, out=to_r)
        xp.subtract(r, to_r, out=to_r)
        xp.multiply(to_r, self.recurrent_inputs[steps], out=to_r)

    def step_back(
        self,
        k: int,
        factors: Array,
        dh: Array,
        direct: Array,
        block: Array,
        *cells: Array,
    ) -> bool:
        _, r, z = self.gates[:, k]
        to_n, to_r, to_z, one = factors
        dn, dr, dz = block
        xp.multiply(to_n, dh, out=dn)
        xp.multiply(to_z, dh, out=dz)
        xp.matmul(dn, self.backs[self.block(0)], out=direct)
        xp.multiply(to_r, direct, out=dr)
        xp.multiply(direct, r, out=direct)
        if self.mask is not None:
            xp.multiply(direct, self.mask, out=direct)
        xp.multiply(dh, z, out=one)
        xp.add(direct, one, out=direct)
        return True

    def differentiate_recurrent(
        self, rows: Array, room: Array, drecurrent: Array
    ) -> None:
        n, t, _, units = self.sizes
        for mine, theirs in enumerate(self.recurrent_order):
            inputs = self.recurrent_inputs if mine else self.terms
            xp.matmul(
                rows[:, self.block(mine)].T,
                inputs.reshape(t * n, units),
                out=drecurrent[self.block(theirs)],
            )


def mixed(z: Array, old: Array, n: Array, h: Array) -> None:
    """Write h = n + z·(h_(t−1) − n)."""
    xp.subtract(old, n, out=h)
    xp.multiply(h, z, out=h)
    xp.add(h, n, out=h)


def unmixed(
    n: Array, z: Array, old: Array, to_n: Array, to_z: Array, work: Array
) -> None:
    """Write dh's factors in da_n, (1 − z)·(1 − n²), and da_z."""
    xp.subtract(1, z, out=work)
    xp.multiply(n, n, out=to_n)
    xp.subtract(1, to_n, out=to_n)
    xp.multiply(to_n, work, out=to_n)
    xp.multiply(work, z, out=work)
    xp.subtract(old, n, out=to_z)
    xp.multiply(to_z, work, out=to_z)
