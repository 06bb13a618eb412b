"""Gru: the gated recurrent unit, with its reset after or before the product."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nncli.autograd.function import Case
from nncli.core.arrays import Array, xp
from nncli.ops.recurrent import Recurrent, sigmoid
from nncli.ops.recurrent_cases import recurrent_cases


class Gru(Recurrent, name="gru"):
    """h_t = (1 − z)·n + z·h_(t−1) with n = tanh(W x_t + b + r·(U h_(t−1) + v)).

    r, z = σ(a), each with its block of a = W x_t + b + U h_(t−1); see ``Recurrent``.
    PyTorch's blocks are r, z, n; here n comes first. v (H,) is a parameter behind U.
    With dh = dL/dh_t and u = U h_(t−1) + v:
    da_n = dh·(1 − z)·(1 − n²), du = da_n·r, da_r = da_n·u·r·(1 − r),
    da_z = dh·(h_(t−1) − n)·z·(1 − z), dh_(t−1) = dh·z + Uᵀ (da_r, da_z, du).
    Source: Cho et al. 2014, with the reset behind the product; PyTorch's GRU, where
    the b of r and z are split in two.
    """

    order = (2, 0, 1)
    recurrent_order = (0, 1, 2)
    sigmoids = slice(1, 3)
    slopes = 4
    extras = 1
    differentiable = (True, True, True, True, True, True, False)

    def make_room(self) -> None:
        """Make room for u at all steps, and for a step's products."""
        n, t, _, units = self.sizes
        self.reached = self.empty(t, n, units)
        self.sums = self.empty(3, n, units)

    def take_extras(self, *extras: Array) -> None:
        (self.offset,) = extras

    def views(self, k: int) -> tuple[Any, ...]:
        a, old = self.gates[:, k], self.hidden[k]
        return self.fed[k], old, *a, a[1:], self.reached[k], self.hidden[k + 1]

    def step(self, *views: Any) -> None:
        before, old, n, r, z, both, u, h = views
        sums = self.sums
        xp.matmul(before, self.recurrents, out=sums)
        xp.add(both, sums[:2], out=both)
        self.squash(both)
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

    def step_back(
        self,
        k: int,
        block: Array,
        dh: Array,
        work: Array,
        direct: Array,
        *cells: Array,
    ) -> bool:
        _, old, n, r, z, both, u, _ = self.steps[k]
        dn, dr, _, du = block
        unmixed(dh, z, old, n, block, work[0])
        xp.multiply(dn, r, out=du)
        xp.multiply(du, u, out=dr)
        xp.multiply(block[1:3], both, out=work[:2])
        xp.subtract(block[1:3], work[:2], out=block[1:3])
        xp.multiply(dh, z, out=direct)
        return True

    def differentiate_extras(
        self, rows: Array, targets: Sequence[Array | None]
    ) -> None:
        if targets[0] is not None:
            xp.add.reduce(rows[:, self.block(3)], axis=0, out=targets[0])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Those of all recurrent ops."""
        yield from recurrent_cases(cls, rng)


class GruResetBefore(Recurrent, name="gru_reset_before"):
    """h_t = (1 − z)·n + z·h_(t−1) with n = tanh(W x_t + b + U (r·h_(t−1))).

    The unit as it was published, which resets the state before the product; else as
    ``Gru``. With q = r·h_(t−1) and dq = Uᵀ da_n:
    da_r = dq·h_(t−1)·r·(1 − r), dh_(t−1) = dh·z + dq·r + Uᵀ (da_r, da_z).
    Source: Cho et al. 2014; Keras' GRU with reset_after=False.
    """

    order = (2, 0, 1)
    recurrent_order = (2, 0, 1)
    sigmoids = slice(1, 3)
    slopes = 3
    differentiable = (True, True, True, True, True, False)

    def make_room(self) -> None:
        """Make room for r·h at all steps, and for a step's products."""
        self.passing = self.backs[self.block(1).start :]
        n, t, _, units = self.sizes
        self.reset = self.empty(t, n, units)
        self.sums = self.empty(2, n, units)

    def views(self, k: int) -> tuple[Any, ...]:
        a, old = self.gates[:, k], self.hidden[k]
        return self.fed[k], old, *a, a[1:], self.reset[k], self.hidden[k + 1]

    def step(self, *views: Any) -> None:
        before, old, n, r, z, both, reset, h = views
        xp.matmul(before, self.recurrents[1:], out=self.sums)
        xp.add(both, self.sums, out=both)
        self.squash(both)
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

    def step_back(
        self,
        k: int,
        block: Array,
        dh: Array,
        work: Array,
        direct: Array,
        *cells: Array,
    ) -> bool:
        before, old, n, r, z, both, _, _ = self.steps[k]
        dn, dr, _ = block
        unmixed(dh, z, old, n, block, direct)
        xp.matmul(dn, self.backs[self.block(0)], out=direct)
        xp.multiply(direct, r, out=direct)
        xp.multiply(direct, before, out=dr)
        xp.multiply(block[1:], both, out=work[:2])
        xp.subtract(block[1:], work[:2], out=block[1:])
        if self.mask is not None:
            xp.multiply(direct, self.mask, out=direct)
        xp.multiply(dh, z, out=work[0])
        xp.add(direct, work[0], out=direct)
        return True

    def differentiate_recurrent(
        self, rows: Array, room: Array, drecurrent: Array
    ) -> None:
        n, t, _, units = self.sizes
        for mine, theirs in enumerate(self.recurrent_order):
            fed = self.fed if mine else self.reset
            xp.matmul(
                rows[:, self.block(mine)].T,
                fed.reshape(t * n, units),
                out=drecurrent[self.block(theirs)],
            )

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Those of all recurrent ops."""
        yield from recurrent_cases(cls, rng)


def mixed(z: Array, old: Array, n: Array, h: Array) -> None:
    """Write h = n + z·(h_(t−1) − n)."""
    xp.subtract(old, n, out=h)
    xp.multiply(h, z, out=h)
    xp.add(h, n, out=h)


def unmixed(
    dh: Array, z: Array, old: Array, n: Array, block: Array, work: Array
) -> None:
    """Write da_n and, without its factor 1 − z, da_z."""
    dn, dz = block[0], block[2]
    xp.multiply(dh, z, out=dz)
    xp.subtract(dh, dz, out=dn)
    xp.subtract(old, n, out=work)
    xp.multiply(dz, work, out=dz)
    xp.multiply(n, n, out=work)
    xp.multiply(work, dn, out=work)
    xp.subtract(dn, work, out=dn)
