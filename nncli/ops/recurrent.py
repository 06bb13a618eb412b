"""Recurrent: what ops of recurrent layers do before, between and after their steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nncli.autograd.buffers import form, scratches
from nncli.autograd.function import Case, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError
from nncli.ops.cell import Cell
from nncli.ops.projection import Projection, aligned, batch_major, block_of, time_major
from nncli.ops.recurrent_cases import recurrent_cases

TOGETHER = 2**15
"""Elements of a gate that are computed together where steps do not depend on each
other: they are then in the cache when the steps come to them."""


class Recurrent(Cell):
    """Base of ops that go through the steps of sequences with a state, forward in time.

    x (N, T, F), W (G·H, F), b (G·H,), U (G·H, H), what the cell has besides, the first
    state or states (N, H), lengths (N,) → h (N, T, H). W, b and U hold G blocks of H
    rows, in PyTorch's order.

    A row whose length is n acts as in PyTorch's packed sequences: behind its first n
    steps the state stays as it is, and h is 0 there. In reverse, the last one of the n
    steps comes first.

    dh = dL/dh_t is dL/dy_t plus what the step after hands back. Summed over rows and
    steps, with da the derivative of W x_t + b, and du that of the product U s, where s
    is h_(t−1) in most blocks: dL/dW = Σ da x_tᵀ, dL/db = Σ da, dL/dU = Σ du sᵀ, of a v
    added to the product Σ du; and dL/dx_t = Wᵀ da. du is da unless it is told.

    Args:
        reverse: Go from the last step to the first.
        last: The output is the state behind the last step, (N, H).
        dropped: An input behind ``lengths``, (N, H): what a state is multiplied by
            where it goes into a product, the same at all steps.
        table: x is a table (V, F), and the last input names its rows, (N, T): W x + b
            is made once for each of them.
        state: Arrays (N, H) that the last state is written to, by every ``forward``.
    """

    reverse: bool = False
    last: bool = False
    dropped: bool = False
    table: bool = False
    state: tuple[Array, ...] = ()

    saves_inputs = False
    saves_output = False

    # W x + b of some steps is one product, written where the gates will stand: a block
    # a gate, (G, T, N, H), steps in the order in which they are taken. No step then
    # turns anything round. Gates that are sigmoids are made by a few calls; the minus
    # of σ(a) = 1 / (1 + exp(−a)) is in the copies of their weights.

    def allocate(
        self, x: Array, weight: Array, bias: Array, recurrent: Array, *rest: Array
    ) -> Array:
        """Make room for the gates and states of all steps."""
        self._check(x, weight, bias, recurrent, rest)
        (n, t), f = (rest[-1] if self.table else x).shape[:2], x.shape[-1]
        units, blocks = recurrent.shape[1], len(self.recurrent_order)
        self.sizes, self.dtype = (n, t, f, units), x.dtype
        self.projection = Projection(
            self.order,
            self.scales,
            self.sizes,
            self.dtype,
            len(x) if self.table else None,
            reverse=self.reverse,
        )
        self.gates = self.projection.gates
        self.recurrents = self.empty(blocks, units, units)
        self.backs = self.empty(blocks * units, units)
        self.kept = [self.empty(t + 1, n, units) for _ in range(self.memories)]
        self.hidden = self.kept[0]
        self.recurrent_inputs = (
            self.empty(t, n, units) if self.dropped else self.hidden[:-1]
        )
        self.mask = self.empty(n, units) if self.dropped else None
        self.pad = xp.empty((t, n, 1), bool)
        self.clock = time_major(xp.arange(t)[None, :, None], reverse=self.reverse)
        self.keeps_lengths = not self.last
        self.passing = self.backs
        self.make_room()
        self.steps = [self.views(k) for k in range(t)]
        some = max(1, TOGETHER // max(n * units, 1))
        self.parts = [slice(k, min(k + some, t)) for k in range(0, t, some)]
        return self.empty(*((n, units) if self.last else (n, t, units)))

    def _check(
        self,
        x: Array,
        weight: Array,
        bias: Array,
        recurrent: Array,
        rest: Sequence[Array],
    ) -> None:
        rows = len(self.order) * recurrent.shape[-1]
        wanted = (
            (weight, (rows, x.shape[-1])),
            (bias, (rows,)),
            (recurrent, (rows, recurrent.shape[-1])),
        )
        places = rest[-1] if self.table else x
        if x.ndim != 3 - self.table or places.ndim != 3 - self.table:
            raise ShapeError(
                f"{self.type_name}: expected sequences (N, T, F), got {x.shape}."
            )
        for array, shape in wanted:
            if array.shape != shape:
                raise ShapeError(
                    f"{self.type_name}: expected a parameter of shape {shape}, got "
                    f"{array.shape}."
                )
        starts = rest[self.extras : self.extras + self.memories]
        for start in starts:
            if start.shape != (len(places), recurrent.shape[1]):
                raise ShapeError(
                    f"{self.type_name}: expected a state of shape "
                    f"{(len(places), recurrent.shape[1])}, got {start.shape}."
                )

    def forward(
        self, x: Array, weight: Array, bias: Array, recurrent: Array, *rest: Array
    ) -> None:
        """Step through time: called with all inputs and ``out``."""
        *given, out = rest
        starts = given[self.extras :]
        lengths = starts[self.memories]
        mask = self.mask
        if mask is not None:
            xp.copyto(mask, starts[self.memories + 1])
        self.projection.prepare(x, weight, bias, given[-1])
        self._copy_recurrent(recurrent)
        self.take_extras(*given[: self.extras])
        for kept, start in zip(self.kept, starts, strict=False):
            xp.copyto(kept[0], start)
        xp.greater_equal(self.clock, lengths[:, None], out=self.pad)
        self.padded = xp.logical_or.reduce(self.pad, axis=(1, 2)).tolist()
        for part in self.parts:
            self.projection.write(part)
            for k in range(part.start, part.stop):
                if mask is not None:
                    xp.multiply(self.hidden[k], mask, out=self.recurrent_inputs[k])
                self.step(*self.steps[k])
                if self.padded[k]:
                    for kept in self.kept:
                        xp.copyto(kept[k + 1], kept[k], where=self.pad[k])
        for target, kept in zip(self.state, self.kept, strict=False):
            xp.copyto(target, kept[-1])
        if self.last:
            xp.copyto(out, self.hidden[-1])
            return
        xp.copyto(out, batch_major(self.hidden[1:], reverse=self.reverse))
        if any(self.padded):
            xp.copyto(out, 0, where=batch_major(self.pad, reverse=self.reverse))

    def _copy_recurrent(self, recurrent: Array) -> None:
        for mine, theirs in enumerate(self.recurrent_order):
            rows = recurrent[self.block(theirs)]
            scale = self.scales[self.order.index(theirs)]
            xp.multiply(rows.T, scale, out=self.recurrents[mine])
            if self.differentiated:
                xp.copyto(self.backs[self.block(mine)], rows)

    def backward(
        self,
        grad: Array,
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None,
        drecurrent: Array | None,
        *rest: Array | None,
    ) -> None:
        """Step back through time; then the weights' gradients, of all steps at once."""
        n, t, _, units = self.sizes
        wide = self.slopes * units
        some = self.parts[0].stop if self.parts else 0
        shapes = (
            (t, n, self.slopes, units),
            (self.slopes + 1, some, n, units),
            *[(n, units)] * (2 * self.memories + 2),
            self.backs.shape,
        )
        forms = [form(shape, grad.dtype) for shape in shapes]
        more = self.projection.rooms(wide)
        slopes, factors, dh, direct, *rooms = scratches(*forms, *more)
        flows = rooms[: self.memories]
        olds, later = (
            rooms[self.memories : 2 * self.memories],
            rooms[2 * self.memories :],
        )
        for flow in flows:
            flow.fill(0)
        if self.last:
            xp.copyto(flows[0], grad)
        steps = grad if self.last else time_major(grad, reverse=self.reverse)
        blocks, rows = slopes.transpose(2, 0, 1, 3), slopes.reshape(t, n, wide)
        for part in reversed(self.parts):
            self.write_factors(part, factors[:, : part.stop - part.start])
            for k in reversed(range(part.start, part.stop)):
                if self.last:
                    xp.copyto(dh, flows[0])
                else:
                    xp.add(steps[k], flows[0], out=dh)
                arrays = factors[:, k - part.start], rows[k], blocks[:, k]
                self._go_back(k, *arrays, dh, direct, flows, olds)
        for target, flow in zip(rest[self.extras :], flows, strict=False):
            if target is not None:
                xp.copyto(target, flow)
        flat = slopes.reshape(t * n, wide)
        self.differentiate_extras(flat, rest[: self.extras])
        if drecurrent is not None:
            self.differentiate_recurrent(flat, later[0], drecurrent)
        self.projection.backward(flat, later[1:], dx, dweight, dbias)

    def _go_back(
        self,
        k: int,
        factors: Array,
        row: Array,
        block: Array,
        dh: Array,
        direct: Array,
        flows: list[Array],
        olds: list[Array],
    ) -> None:
        """Write the derivatives of a step's gates, and to ``flows`` those before it."""
        rec, *cells = flows
        pad = self.pad[k] if self.padded[k] else None
        if pad is not None:
            xp.copyto(dh, rec, where=pad)
            for old, flow in zip(olds, cells, strict=False):
                xp.copyto(old, flow)
        passed = self.step_back(k, factors, dh, direct, block, *cells)
        if pad is not None:
            xp.copyto(row, 0, where=pad)
        xp.matmul(row[:, -len(self.passing) :], self.passing, out=rec)
        if self.mask is not None:
            xp.multiply(rec, self.mask, out=rec)
        if passed:
            xp.add(rec, direct, out=rec)
        if pad is not None:
            # Rows do not mix: those that stay as they are are put right at last.
            xp.copyto(rec, dh, where=pad)
            for old, flow in zip(olds, cells, strict=False):
                xp.copyto(flow, old, where=pad)

    def differentiate_recurrent(
        self, rows: Array, room: Array, drecurrent: Array
    ) -> None:
        """Write the gradient of U, given the derivatives (T·N, slopes·H)."""
        n, t, _, units = self.sizes
        columns = rows[:, -len(self.backs) :]
        xp.matmul(columns.T, self.recurrent_inputs.reshape(t * n, units), out=room)
        for mine, theirs in enumerate(self.recurrent_order):
            xp.copyto(drecurrent[self.block(theirs)], room[self.block(mine)])

    def block(self, index: int) -> slice:
        """Return the rows of a parameter that belong to one gate."""
        return block_of(index, self.sizes[-1])

    def empty(self, *shape: int) -> Array:
        """Return an array that begins at a cache line."""
        return aligned(shape, self.dtype)

    def flops(self, *arrays: Sized) -> int:
        """Count the products, and ten operations for an element of each gate."""
        units = arrays[3].shape[1]
        places = arrays[-2] if self.table else arrays[0]
        steps = places.shape[0] * places.shape[1]
        rows = arrays[0].shape[0] if self.table else steps
        gates = len(self.order) * units
        terms = rows * (arrays[0].shape[-1] + 1) + steps * (units + 5)
        return int(2 * gates * terms)

    def sequential_parts(self, *arrays: Sized) -> int:
        """Count the steps."""
        return max(1, (arrays[-2] if self.table else arrays[0]).shape[1])

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Those of all recurrent ops."""
        yield from recurrent_cases(cls, rng)
