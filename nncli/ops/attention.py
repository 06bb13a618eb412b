"""Scaled dot-product attention of several heads, as one op."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from nncli.autograd.buffers import form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ShapeError
from nncli.ops.attention_pieces import Piece, cut
from nncli.ops.rotary import Rotation

KEEP = 2**23
"""Bytes of weights that are kept for the derivative; more are computed again."""


class Attention(Function, name="attention"):
    """y = softmax(q kᵀ/√d + mask) v for each head; mask is −∞ for keys not to see.

    x (N, T, (H + 2·K)·d) holds the queries of H heads, then the keys and the values of
    K heads, side by side; lengths (N,), optional → y (N, T, H·d). Head h of the
    queries looks at head h·K // H of the keys (Ainslie et al. 2023). Steps from a
    row's length on are no keys; what stands there is still a query. A row of length 0
    gives 0.

    With p the weights after softmax and g = dL/dy, for each head: dL/dv = pᵀ g,
    s = p·(g vᵀ − Σ y·g), dL/dq = s k/√d, dL/dk = sᵀ q/√d. With dropout, p is m·p in
    dL/dv, and g vᵀ is m·(g vᵀ), with m = 0 or 1/(1 − rate).

    Weights are computed for some rows, heads or queries at a time; many are not kept,
    but computed again from the logarithm of their sum (Dao et al. 2022). They lie keys
    first: softmax then runs along long lines of memory. Source: Vaswani et al. 2017.

    Args:
        heads: How many heads H the queries have.
        kv_heads: How many K the keys and values have; it divides H.
        causal: A query sees no key of a later step.
        rate: Probability of setting a weight to 0.
        rotary: Turn queries and keys by angles that grow with their step; see
            ``Rotation``.
        rng: Where it is drawn from what is dropped; needed for a rate above 0.
    """

    heads: int
    kv_heads: int
    causal: bool = False
    rate: float = 0.0
    rotary: bool = False
    rng: np.random.Generator | None = None

    differentiable = (True, False)
    keeps_lengths = True

    def allocate(self, x: Array, *lengths: Array) -> Array:
        """Cut the work into pieces; make room for weights, where they are few."""
        self._check(x, lengths)
        n, t, width = x.shape
        dtype, wide = x.dtype, x.itemsize
        self.group = self.heads // self.kv_heads
        self.size = size = width // (self.heads + 2 * self.kv_heads)
        self.rotation = Rotation(t, size, dtype) if self.rotary else None
        self.scale = 1 / math.sqrt(size)
        rotated = (n, t, (self.heads + self.kv_heads) * self.rotary)
        self.pieces = pieces = list(
            cut(n, self.kv_heads, self.group, t, wide, causal=self.causal)
        )
        cells = [piece.cells(wide) for piece in pieces]
        lines = [piece.line for piece in pieces]
        keeps = self.differentiated and sum(cells) * wide <= KEEP
        self.kept = [xp.empty(count, dtype) for count in cells] if keeps else None
        again = self.differentiated and not keeps
        self.logs = [xp.empty(line if again else 0, dtype) for line in lines]
        self.drops = [
            xp.empty((piece.keys, piece.line) if self.rate else (0, 0), bool)
            for piece in pieces
        ]
        wanted = [p.keys * math.prod(p.shape[1:4]) * size for p in pieces]
        self.forms = (
            form((*rotated, size), dtype),
            form((*rotated, size // 2), dtype),
            form((max(cells, default=0),), dtype),
            form((max(cells, default=0),), dtype),
            form((max(lines, default=0),), dtype),
            form((max(wanted, default=0),), dtype),
        )
        self.causal_masks = self._causal_masks(dtype) if self.causal else {}
        self.steps = xp.arange(t)[:, None]
        self.masked = bool(lengths)
        self.hidden, self.empty = xp.zeros((t, n), bool), xp.zeros(n, bool)
        return xp.empty((n, t, self.heads * size), dtype)

    def _check(self, x: Array, lengths: tuple[Array, ...]) -> None:
        parts = self.heads + 2 * self.kv_heads
        if self.heads % self.kv_heads or x.ndim != 3 or x.shape[2] % parts:
            raise ShapeError(
                f"attention: expected inputs (N, T, F) with F a multiple of {parts}: "
                f"{self.heads} heads of queries, and {self.kv_heads} heads, which "
                f"divide them, of keys and of values; got shape {x.shape}."
            )
        if lengths and lengths[0].shape != x.shape[:1]:
            raise ShapeError(
                f"attention: expected one length a row, shape {x.shape[:1]}, got "
                f"{lengths[0].shape}."
            )

    def _causal_masks(self, dtype: np.dtype[np.generic]) -> dict[int, Array]:
        """Return masks by count of queries: −∞ where a key is later than its query."""
        longest: dict[int, int] = {}
        for piece in self.pieces:
            count = piece.shape[-1]
            longest[count] = max(longest.get(count, 0), piece.line // count)
        return {
            count: xp.tile(
                xp.where(xp.tri(count, dtype=bool).T, 0, -xp.inf).astype(dtype), times
            )
            for count, times in longest.items()
        }

    def forward(self, x: Array, *rest: Array) -> None:
        """Write the weighted sums of the values: called as (x, lengths, out)."""
        self.x, self.out = x, rest[-1]
        if self.masked:
            xp.less(rest[0], 1, out=self.empty)
            xp.greater_equal(self.steps, rest[0], out=self.hidden)
            # Of no scores, not even −∞ is the largest; see ``_zero_empty_rows``.
            self.hidden[:1] = False
        rotated, half, cells, others, row, _ = scratches(*self.forms)
        q, k, v = self._parts(rotated, half)
        y = self._by_head(self.out, self.heads)
        for i, piece in enumerate(self.pieces):
            p, weights = piece.over(self.kept[i] if self.kept else cells)
            self._score(piece, q, k, p, weights)
            self._normalize(p, row[: piece.line], self.logs[i])
            if self.masked:
                self._zero_empty_rows(piece, p)
            if self.rng is not None and self.rate:
                self._draw(self.rng, self.drops[i], others)
                dropped, weights = piece.over(others)
                self._drop(p, self.drops[i], dropped)
            xp.matmul(weights.swapaxes(-1, -2), v[piece.seen], out=y[piece.place])

    def _score(
        self, piece: Piece, q: Array, k: Array, scores: Array, by_head: Array
    ) -> None:
        """Write q kᵀ/√d + mask."""
        queries = q[piece.place].swapaxes(-1, -2)
        xp.matmul(k[piece.seen], queries, out=by_head)
        xp.multiply(scores, self.scale, out=scores)
        if self.causal:
            count = piece.shape[-1]
            last = scores[piece.keys - count :]
            xp.add(last, self.causal_masks[count][:, : piece.line], out=last)
        if self.masked:
            hidden = self.hidden[: piece.keys, piece.rows, None, None, None]
            xp.copyto(scores.reshape(piece.shape), -xp.inf, where=hidden)

    def _normalize(self, p: Array, row: Array, log: Array) -> None:
        """Make weights of scores, and keep the logarithm of their sum if wanted."""
        xp.maximum.reduce(p, axis=0, out=row)
        xp.subtract(p, row, out=p)
        xp.exp(p, out=p)
        if log.size:
            xp.copyto(log, row)
        xp.add.reduce(p, axis=0, out=row)
        xp.divide(1, row, out=row)
        xp.multiply(p, row, out=p)
        if log.size:
            xp.log(row, out=row)
            xp.subtract(log, row, out=log)

    def _zero_empty_rows(self, piece: Piece, p: Array) -> None:
        """Let rows without keys have weights of 0."""
        empty = self.empty[piece.rows, None, None, None]
        xp.copyto(p.reshape(piece.shape), 0, where=empty)

    def _draw(self, rng: np.random.Generator, stays: Array, room: Array) -> None:
        """Draw which weights stay, each with probability 1 − rate."""
        chance = room[: stays.size].reshape(stays.shape)
        rng.random(out=chance, dtype=chance.dtype.type)
        xp.greater_equal(chance, self.rate, out=stays)

    def _drop(self, p: Array, stays: Array, out: Array) -> None:
        xp.multiply(p, 1 / (1 - self.rate), out=out)
        xp.multiply(out, stays, out=out)

    def backward(self, grad: Array, dx: Array | None, *_constants: None) -> None:
        if dx is None:
            return
        rotated, half, cells, others, row, products = scratches(*self.forms)
        q, k, v = self._parts(rotated, half)
        g, y = self._by_head(grad, self.heads), self._by_head(self.out, self.heads)
        dq, dk, dv = self._split(dx)
        for i, piece in enumerate(self.pieces):
            mine, slopes = g[piece.place], row[: piece.line]
            p, weights = piece.over(self.kept[i] if self.kept else cells)
            s, by_head = piece.over(others)
            if not self.kept:
                self._score(piece, q, k, p, weights)
                xp.subtract(p, self.logs[i], out=p)
                xp.exp(p, out=p)
                if self.masked:
                    self._zero_empty_rows(piece, p)
            if self.rate:
                self._drop(p, self.drops[i], s)
            used = by_head if self.rate else weights
            self._add(piece, used, mine, products, dv)
            xp.matmul(v[piece.seen], mine.swapaxes(-1, -2), out=by_head)
            if self.rate:
                self._drop(s, self.drops[i], s)
            # Σ p·dL/dp of a query is Σ y·g: d products instead of T.
            xp.vecdot(y[piece.place], mine, out=slopes.reshape(piece.shape[1:]))
            xp.subtract(s, slopes, out=s)
            xp.multiply(s, p, out=s)
            xp.multiply(s, self.scale, out=s)
            self._add(piece, by_head, q[piece.place], products, dk)
            xp.matmul(by_head.swapaxes(-1, -2), k[piece.seen], out=dq[piece.place])
        if self.rotation is not None:
            given = self._heads(dx)[:, :, : rotated.shape[2]]
            xp.copyto(rotated, given)
            self.rotation.rotate_back(rotated, half, given)

    def _add(
        self, piece: Piece, left: Array, right: Array, products: Array, out: Array
    ) -> None:
        """Add products to the gradient of keys or values, which several queries see."""
        target = out[piece.seen]
        if self.group == 1 and piece.first:
            xp.matmul(left, right, out=target)
            return
        shape = (*piece.shape[1:4], piece.keys, self.size)
        room = products[: math.prod(shape)].reshape(shape)
        xp.matmul(left, right, out=room)
        if piece.first:
            xp.add.reduce(room, axis=2, out=target, keepdims=True)
            return
        for i in range(self.group):
            xp.add(target, room[:, :, i : i + 1], out=target)

    def _parts(self, rotated: Array, half: Array) -> tuple[Array, Array, Array]:
        """Return queries, keys and values; where rotary, the first two rotated."""
        q, k, v = self._split(self.x)
        if self.rotation is not None:
            self.rotation.rotate(
                self._heads(self.x)[:, :, : rotated.shape[2]], half, rotated
            )
            q = self._by_head(rotated[:, :, : self.heads], self.heads)
            k = self._by_head(rotated[:, :, self.heads :], self.kv_heads)
        return q, k, v

    def _heads(self, x: Array) -> Array:
        """Return a view (N, T, heads, d)."""
        return x.reshape(*x.shape[:2], x.shape[2] // self.size, self.size)

    def _split(self, x: Array) -> tuple[Array, Array, Array]:
        """Return queries (N, K, G, T, d), keys and values (N, K, 1, T, d), as views."""
        heads, end = self._heads(x), self.heads + self.kv_heads
        return (
            self._by_head(heads[:, :, : self.heads], self.heads),
            self._by_head(heads[:, :, self.heads : end], self.kv_heads),
            self._by_head(heads[:, :, end:], self.kv_heads),
        )

    def _by_head(self, x: Array, heads: int) -> Array:
        """Return a view (N, K, heads // K, T, d)."""
        group = heads // self.kv_heads
        split = x.reshape(*x.shape[:2], self.kv_heads, group, self.size)
        return split.transpose(0, 2, 3, 1, 4)

    def flops(self, *arrays: Sized) -> int:
        """Count both products, and five operations a weight."""
        n, t, width = arrays[-1].shape
        return n * t * t * (4 * width + 5 * self.heads)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One head, several, grouped; causal, with lengths, rotated, with dropout."""
        drawn = np.random.default_rng(7)
        calls: list[tuple[Function, Shape]] = [
            (cls(1, 1), (1, 1, 3)),
            (cls(2, 2, causal=True), (2, 3, 6)),
            (cls(4, 2, rotary=True), (2, 3, 16)),
            (cls(2, 1, causal=True, rotary=True), (1, 4, 8)),
            (cls(2, 2, rate=0.4, rng=drawn), (2, 3, 6)),
        ]
        for function, shape in calls:
            yield Case(function, (rng.normal(size=shape),))
        for causal in (False, True):
            x, lengths = rng.normal(size=(4, 3, 8)), xp.asarray([2, 3, 0, 1])
            yield Case(cls(2, 1, causal=causal), (x, lengths))
