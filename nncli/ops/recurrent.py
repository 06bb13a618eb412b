"""Recurrent: what ops of recurrent layers do before, between and after their steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from nncli.autograd.buffers import form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError
from nncli.ops.lookup import one_hot


class Recurrent(Function):
    """Base of ops that go through the steps of sequences with a state, forward in time.

    x (N, T, F), W (G·H, F), b (G·H,), U (G·H, H), what the cell has besides, the first
    state or states (N, H), lengths (N,) → h (N, T, H). W, b and U hold G blocks of H
    rows, in PyTorch's order.

    A row whose length is n acts as in PyTorch's packed sequences: behind its first n
    steps the state stays as it is, and h is 0 there. In reverse, the last one of the n
    steps comes first.

    W x + b of all steps is one product, written where the gates will stand: a block a
    gate, (G, T, N, H), steps in the order in which they are taken. No step then turns
    anything round; the tanh of all gates is one call, for σ(a) = ½ + ½·tanh(a/2), of
    which the half is put into the weights.

    Args:
        reverse: Go from the last step to the first.
        last: The output is the state behind the last step, (N, H).
        dropped: An input behind ``lengths``, (N, H): what a state is multiplied by
            where it goes into a product, the same at all steps.
        table: x is a table (V, F), and the last input names its rows, (N, T): W x + b
            is made once for each of them.
        state: Arrays (N, H) that the last state is written to, by every ``forward``.

    Class attributes:
        order: Which of PyTorch's blocks each block of gates is.
        recurrent_order: Which of PyTorch's blocks each block of U is, here.
        sigmoids: Which blocks of gates are sigmoids: they lie side by side.
        slopes: How many blocks of derivatives there are; the first are those of the
            gates, the last those of U h.
        memories: How many states there are.
        extras: How many parameters there are besides.
    """

    reverse: bool = False
    last: bool = False
    dropped: bool = False
    table: bool = False
    state: tuple[Array, ...] = ()

    order: ClassVar[tuple[int, ...]]
    recurrent_order: ClassVar[tuple[int, ...]]
    sigmoids: ClassVar[slice] = slice(0, 0)
    slopes: ClassVar[int]
    memories: ClassVar[int] = 1
    extras: ClassVar[int] = 0

    saves_inputs = (False, True, False)
    saves_output = False

    def allocate(
        self, x: Array, weight: Array, bias: Array, recurrent: Array, *rest: Array
    ) -> Array:
        """Make room for the gates and states of all steps."""
        self._check(x, weight, bias, recurrent, rest)
        (n, t), f = (rest[-1] if self.table else x).shape[:2], x.shape[-1]
        units, blocks = recurrent.shape[1], len(self.order)
        rows = len(x) if self.table else t * n

        def make(*shape: int) -> Array:
            return xp.empty(shape, x.dtype)

        self.sizes = n, t, f, units
        self.inputs: Array = xp.ones((rows, f + 1), x.dtype)
        self.weights = make(blocks, f + 1, units)
        self.recurrents = make(len(self.recurrent_order), units, units)
        self.backs = make(len(self.recurrent_order), units, units)
        self.gates = make(blocks, t, n, units)
        self.projected = self.gates.reshape(blocks, t * n, units)
        if self.table:
            self.projected = make(blocks, rows, units)
            self.index = xp.empty((t, n), xp.intp)
        self.kept = [make(t + 1, n, units) for _ in range(self.memories)]
        self.hidden = self.kept[0]
        self.fed = make(t, n, units) if self.dropped else self.hidden[:-1]
        self.mask = make(n, units) if self.dropped else None
        self.pad = xp.empty((t, n, 1), bool)
        self.clock = self._turned(xp.arange(t)[None, :, None])
        self.keeps_lengths = not self.last
        self.make_room()
        self.steps = [self.views(k) for k in range(t)]
        return make(n, units) if self.last else make(n, t, units)

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

    def _turned(self, array: Array) -> Array:
        """Turn (N, T, ...) to (T, N, ...) with steps as they are taken, or back."""
        steps = array.swapaxes(0, 1)
        return steps[::-1] if self.reverse else steps

    def _outward(self, array: Array) -> Array:
        """Turn (T, N, ...) with steps as they are taken to (N, T, ...)."""
        return (array[::-1] if self.reverse else array).swapaxes(0, 1)

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
        self.weight = weight
        self._project(x, weight, bias, given[-1])
        self._copy_recurrent(recurrent)
        self.take_extras(*given[: self.extras])
        for kept, start in zip(self.kept, starts, strict=False):
            xp.copyto(kept[0], start)
        xp.greater_equal(self.clock, lengths[:, None], out=self.pad)
        self.padded: list[bool] = self.pad.any(axis=(1, 2)).tolist()
        for k, (views, padded) in enumerate(zip(self.steps, self.padded, strict=True)):
            if mask is not None:
                xp.multiply(self.hidden[k], mask, out=self.fed[k])
            self.step(*views)
            if padded:
                for kept in self.kept:
                    xp.copyto(kept[k + 1], kept[k], where=self.pad[k])
        for target, kept in zip(self.state, self.kept, strict=False):
            xp.copyto(target, kept[-1])
        if self.last:
            xp.copyto(out, self.hidden[-1])
            return
        xp.copyto(out, self._outward(self.hidden[1:]))
        if any(self.padded):
            xp.copyto(out, 0, where=self._outward(self.pad))

    def _project(self, x: Array, weight: Array, bias: Array, index: Array) -> None:
        """Write W x + b of all steps to the gates."""
        n, t, f, units = self.sizes
        for mine, theirs in enumerate(self.order):
            part = slice(theirs * units, (theirs + 1) * units)
            xp.copyto(self.weights[mine, :f], weight[part].T)
            xp.copyto(self.weights[mine, f], bias[part])
        halves = self.weights[self.sigmoids]
        xp.multiply(halves, 0.5, out=halves)
        if self.table:
            xp.copyto(self.inputs[:, :f], x)
            xp.copyto(self.index, self._turned(index))
        else:
            steps = self.inputs.reshape(t, n, f + 1)[..., :f]
            xp.copyto(steps, self._turned(x))
        xp.matmul(self.inputs, self.weights, out=self.projected)
        if self.table:
            for rows, gate in zip(self.projected, self.gates, strict=True):
                rows.take(self.index, 0, gate, "clip")

    def _copy_recurrent(self, recurrent: Array) -> None:
        _, _, _, units = self.sizes
        for mine, theirs in enumerate(self.recurrent_order):
            block = recurrent[theirs * units : (theirs + 1) * units]
            half = 0.5 if self._is_sigmoid(theirs) else 1.0
            xp.multiply(block.T, half, out=self.recurrents[mine])
            if self.differentiated:
                xp.copyto(self.backs[mine], block)

    def _is_sigmoid(self, theirs: int) -> bool:
        return theirs in self.order[self.sigmoids]

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
        n, t, f, units = self.sizes
        rows = len(self.inputs)
        step, square = (n, units), (units, f + 1)
        shapes: list[Shape] = [
            (self.slopes, t, n, units),
            (len(self.recurrent_order), *step),
            *[step] * (2 * self.memories + 2),
            square,
            (rows, f),
            (rows, f),
        ]
        if self.table:
            shapes += [(rows, t * n), (len(self.order), rows, units)]
        slopes, products, *rooms = scratches(
            *(form(shape, grad.dtype) for shape in shapes)
        )
        flows, dh, work, olds, rooms = _cut(rooms, self.memories)
        self._go_back(grad, slopes, products, flows, olds, dh, work)
        self._differentiate_extras(slopes, rest[: self.extras])
        for target, flow in zip(rest[self.extras :], flows, strict=False):
            if target is not None:
                xp.copyto(target, flow)
        if drecurrent is not None:
            self._differentiate_recurrent(slopes, drecurrent)
        self._differentiate_projection(slopes, rooms, dx, dweight, dbias)

    def _go_back(
        self,
        grad: Array,
        slopes: Array,
        products: Array,
        flows: list[Array],
        olds: list[Array],
        dh: Array,
        work: Array,
    ) -> None:
        """Write the derivatives of all gates, and of the first state to ``flows``."""
        rec, *cells = flows
        for flow in flows:
            flow.fill(0)
        if self.last:
            xp.copyto(rec, grad)
        else:
            steps = self._turned(grad)
        for k in reversed(range(self.sizes[1])):
            padded = self.padded[k]
            if self.last:
                xp.copyto(dh, rec)
            else:
                xp.add(steps[k], rec, dh)
            if padded:
                xp.copyto(dh, rec, where=self.pad[k])
                for old, flow in zip(olds[1:], cells, strict=True):
                    xp.copyto(old, flow)
            self.step_back(k, slopes[:, k], products, dh, work, *flows)
            if padded:
                # Rows do not mix: what came out for these is put right afterwards.
                xp.copyto(slopes[:, k], 0, where=self.pad[k])
                xp.copyto(rec, dh, where=self.pad[k])
                for old, flow in zip(olds[1:], cells, strict=True):
                    xp.copyto(flow, old, where=self.pad[k])

    def through_recurrent(self, part: Array, products: Array, rec: Array) -> None:
        """Write Uᵀ times the derivatives of a step's U h, dropped as h was, to rec."""
        backs = self.backs[-len(part) :]
        if len(part) == 1:
            xp.matmul(part[0], backs[0], out=rec)
        else:
            xp.matmul(part, backs, out=products[: len(part)])
            xp.add.reduce(products[: len(part)], axis=0, out=rec)
        if self.mask is not None:
            xp.multiply(rec, self.mask, out=rec)

    def _differentiate_recurrent(self, slopes: Array, drecurrent: Array) -> None:
        n, t, _, units = self.sizes
        blocks = slopes[-len(self.recurrent_order) :]
        for mine, theirs in enumerate(self.recurrent_order):
            rows = blocks[mine].reshape(t * n, units)
            fed = self.fed_to(theirs).reshape(t * n, units)
            part = slice(theirs * units, (theirs + 1) * units)
            xp.matmul(rows.T, fed, out=drecurrent[part])

    def _differentiate_projection(
        self,
        slopes: Array,
        rooms: list[Array],
        dx: Array | None,
        dweight: Array | None,
        dbias: Array | None,
    ) -> None:
        n, t, f, units = self.sizes
        square, total, work, *more = rooms
        parts = slopes[: len(self.order)].reshape(-1, t * n, units)
        if self.table:
            hot, rows = more
            one_hot(self.index.reshape(-1), hot)
            parts = xp.matmul(hot, parts, out=rows)
        for mine, theirs in enumerate(self.order):
            block = slice(theirs * units, (theirs + 1) * units)
            xp.matmul(parts[mine].T, self.inputs, out=square)
            if dweight is not None:
                xp.copyto(dweight[block], square[:, :f])
            if dbias is not None:
                xp.copyto(dbias[block], square[:, f])
            if dx is not None:
                target = work if mine else total
                xp.matmul(parts[mine], self.weight[block], out=target)
                if mine:
                    xp.add(total, work, out=total)
        if dx is not None:
            whole = total if self.table else self._outward(total.reshape(t, n, f))
            xp.copyto(dx, whole)

    def make_room(self) -> None:
        """Make what the cell keeps besides."""

    def take_extras(self, *extras: Array) -> None:
        """Keep the parameters that the cell has besides."""

    def _differentiate_extras(
        self, slopes: Array, targets: Sequence[Array | None]
    ) -> None:
        """Write the gradients of the parameters that the cell has besides."""

    def fed_to(self, block: int) -> Array:
        """Return what one of PyTorch's blocks of U is multiplied with, at all steps."""
        return self.fed

    @abstractmethod
    def views(self, k: int) -> tuple[Any, ...]:
        """Return the arguments of ``step`` for the k-th step."""

    @abstractmethod
    def step(self, *views: Any) -> None:
        """Compute a step's states from its gates, of which W x + b is there."""

    @abstractmethod
    def step_back(
        self,
        k: int,
        slopes: Array,
        products: Array,
        dh: Array,
        work: Array,
        *flows: Array,
    ) -> None:
        """Write a step's derivatives, and those of the states before it to flows."""

    def flops(self, *arrays: Sized) -> int:
        """Count the products, and ten operations for an element of each gate."""
        units = arrays[3].shape[1]
        places = arrays[-2] if self.table else arrays[0]
        steps = places.shape[0] * places.shape[1]
        rows = arrays[0].shape[0] if self.table else steps
        gates = len(self.order) * units
        terms = rows * (arrays[0].shape[-1] + 1) + steps * (units + 5)
        return int(2 * gates * terms)

    @classmethod
    def cases_of(cls, rng: np.random.Generator, **fields: Any) -> Iterator[Case]:
        """One step, several; both ways; lengths; dropped states; a table."""

        def case(n: int, t: int, lengths: Sequence[int] = (), **more: Any) -> Case:
            f, h, table = 2, 3, more.get("table", False)
            rows = len(cls.order) * h
            inputs = [
                rng.normal(size=(4, f) if table else (n, t, f)),
                *(rng.normal(size=shape) for shape in ((rows, f), (rows,), (rows, h))),
                *(rng.normal(size=h) for _ in range(cls.extras)),
                *(rng.normal(size=(n, h)) for _ in range(cls.memories)),
                np.array(lengths or [t] * n),
            ]
            if more.get("dropped"):
                inputs.append(rng.integers(0, 2, (n, h)) * 2.0)
            if table:
                inputs.append(rng.integers(0, 4, (n, t)))
            return Case(cls(**fields, **more), tuple(inputs))

        yield case(1, 1)
        yield case(2, 3)
        yield case(2, 3, reverse=True, last=True)
        yield case(4, 3, [2, 0, 3, 1])
        yield case(4, 3, [2, 0, 3, 1], reverse=True, dropped=True)
        yield case(2, 3, [1, 3], last=True, table=True)


def _cut(
    rooms: list[Array], memories: int
) -> tuple[list[Array], Array, Array, list[Array], list[Array]]:
    flows, rest = rooms[:memories], rooms[memories:]
    dh, work, *rest = rest
    return flows, dh, work, rest[:memories], rest[memories:]
