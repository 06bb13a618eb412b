"""Connectionist temporal classification: labels without their places in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nncli.autograd.buffers import form, scratches
from nncli.autograd.function import Case, Function, Sized
from nncli.core.arrays import Array, xp
from nncli.core.errors import ShapeError
from nncli.ops.losses import Reduction, check_weights, counted


class Ctc(Function, name="ctc", kw_only=True):
    """y = Σ_n f_n·l_n with l_n = −ln p_n, p_n the probability of row n's labels.

    scores z (N, T, K), labels (N, S), steps (N,), sizes (N,), weights (N,) optional
    → y (). A path gives a class or the blank at each of the row's first ``steps``
    steps; equal neighbours are one, blanks are dropped, and p_n is what all paths to
    the row's first ``sizes`` labels have together. A row's labels end before its
    first blank, too: blanks pad. ``mean`` has f_n = w_n / (N·max(size, 1)) as in
    PyTorch's CTCLoss, ``sum`` has f_n = w_n.

    With l' the labels with blanks around each, and y_t = softmax(z_t):
    α_t(s) = y_t(l'_s)·(α_{t−1}(s) + α_{t−1}(s−1) [+ α_{t−1}(s−2), where l'_s is
    neither the blank nor l'_{s−2}]), β the same from the end without y_t, and
    dl/dz_tk = y_tk − Σ_{s: l'_s = k} α_t(s)·β_t(s) / p. In logarithms throughout.
    Source: Graves et al. 2006.

    Args:
        blank: The class that stands for no label.
        reduction: See above.
        zero_infinity: Rows that no path fits count nothing; else their loss is
            infinite.
    """

    blank: int = 0
    reduction: Reduction = "mean"
    zero_infinity: bool = False

    differentiable = (True, False)
    saves_inputs = False
    saves_output = False

    def allocate(
        self, scores: Array, labels: Array, steps: Array, sizes: Array, *weights: Array
    ) -> Array:
        """Make room for the paths' probabilities up to each step."""
        self._check(scores, labels, steps, sizes)
        check_weights(self.type_name, labels.shape[:1], weights)
        n, t, classes = scores.shape
        wide, dtype = 2 * labels.shape[1] + 1, scores.dtype
        # States before the first one are never reached: two columns of −∞.
        self.alpha = xp.full((t, n, wide + 2), -xp.inf, dtype)
        self.emitted = xp.empty((t, n, wide), dtype)
        self.logs = xp.empty((n, t, classes), dtype)
        self.extended = xp.full((n, wide), self.blank)
        self.index = xp.empty((t, n, wide), int)
        rows = xp.arange(0, n * t * classes, t * classes)
        self.starts = (xp.arange(0, t * classes, classes)[:, None] + rows)[..., None]
        self.skip = xp.full((n, wide + 2), -xp.inf, dtype)
        self.same = xp.empty((n, max(labels.shape[1] - 1, 0)), bool)
        self.padding = xp.empty(labels.shape, bool)
        self.steps, self.sizes, self.ends = xp.empty((3, n), int)
        self.places = xp.arange(n)
        self.total, self.other, self.factor = xp.empty((3, n), dtype)
        self.none = xp.empty(n, bool)
        self.times, self.states = xp.arange(t), xp.arange(wide)
        self.classes = xp.arange(classes)
        self.count = counted(n) if self.reduction == "mean" else 1
        return xp.empty((), dtype)

    def _check(self, scores: Array, labels: Array, steps: Array, sizes: Array) -> None:
        fits = scores.ndim == 3 and labels.ndim == 2 and len(scores) == len(labels)
        if not fits or labels.dtype.kind not in "iu":
            raise ShapeError(
                "ctc: expected scores (N, T, K) and integer labels (N, S), got scores "
                f"{scores.shape} and {labels.dtype} labels {labels.shape}."
            )
        classes = scores.shape[-1]
        if not 0 <= self.blank < classes:
            raise ShapeError(
                f"ctc: expected a blank from 0 to {classes - 1}, got {self.blank}."
            )
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ShapeError(
                f"ctc: expected labels from 0 to {classes - 1}, got labels from "
                f"{labels.min()} to {labels.max()}."
            )
        if not steps.shape == sizes.shape == labels.shape[:1]:
            raise ShapeError(
                f"ctc: expected one number of steps and of labels a row, shape "
                f"{labels.shape[:1]}, got {steps.shape} and {sizes.shape}."
            )

    def forward(
        self, scores: Array, labels: Array, steps: Array, sizes: Array, *rest: Array
    ) -> None:
        self._read(labels, steps, sizes)
        self._log_softmax(scores)
        xp.add(self.starts, self.extended, out=self.index)
        self.logs.reshape(-1).take(self.index, None, self.emitted, "clip")
        skip = self.skip[:, :-2]
        (work,) = scratches(form(skip.shape, skip.dtype))
        for t, emitted in enumerate(self.emitted):
            here = self.alpha[t, :, 2:]
            if t == 0:
                xp.copyto(here[:, :2], emitted[:, :2])
                continue
            before = self.alpha[t - 1]
            xp.logaddexp(before[:, 2:], before[:, 1:-1], out=here)
            xp.add(before[:, :-2], skip, out=work)
            xp.logaddexp(here, work, out=here)
            xp.add(here, emitted, out=here)
        self._total(rest[:-1])
        xp.multiply(self.total, self.factor, out=self.other)
        rest[-1][()] = -xp.add.reduce(self.other).item()

    def _read(self, labels: Array, steps: Array, sizes: Array) -> None:
        """Put blanks around labels, and say where two may follow without one."""
        xp.copyto(self.steps, steps)
        xp.equal(labels, self.blank, out=self.padding)
        xp.logical_or.accumulate(self.padding, axis=1, out=self.padding)
        xp.add.reduce(self.padding, axis=1, out=self.sizes)
        xp.subtract(labels.shape[1], self.sizes, out=self.sizes)
        xp.minimum(self.sizes, sizes, out=self.sizes)
        xp.copyto(self.extended[:, 1::2], labels)
        xp.equal(labels[:, 1:], labels[:, :-1], out=self.same)
        after = self.skip[:, 3:-2:2]
        after.fill(0)
        xp.copyto(after, -xp.inf, where=self.same)

    def _log_softmax(self, scores: Array) -> None:
        logs = self.logs
        row, work = scratches(
            form((*logs.shape[:2], 1), logs.dtype), form(logs.shape, logs.dtype)
        )
        xp.maximum.reduce(scores, axis=-1, out=row, keepdims=True)
        xp.subtract(scores, row, out=logs)
        xp.exp(logs, out=work)
        xp.add.reduce(work, axis=-1, out=row, keepdims=True)
        xp.log(row, out=row)
        xp.subtract(logs, row, out=logs)

    def _total(self, weights: tuple[Array, ...]) -> None:
        """Write ln p of each row, and its factor."""
        n, wide = self.alpha.shape[1:]
        flat = self.alpha.reshape(-1)
        # α of the last label and of the blank after it, at the row's last step.
        xp.subtract(self.steps, 1, out=self.ends)
        xp.multiply(self.ends, n, out=self.ends)
        xp.add(self.ends, self.places, out=self.ends)
        xp.multiply(self.ends, wide, out=self.ends)
        for _ in range(2):
            xp.add(self.ends, self.sizes, out=self.ends)
        xp.add(self.ends, 1, out=self.ends)
        flat.take(self.ends, None, self.other, "clip")
        xp.add(self.ends, 1, out=self.ends)
        flat.take(self.ends, None, self.total, "clip")
        xp.logaddexp(self.total, self.other, out=self.total)
        # Of no steps there is one path, that of no labels.
        xp.less(self.steps, 1, out=self.none)
        xp.copyto(self.total, 0, where=self.none)
        xp.logical_and(self.none, self.sizes, out=self.none)
        xp.copyto(self.total, -xp.inf, where=self.none)
        self.factor.fill(1 / self.count)
        if self.reduction == "mean":
            xp.maximum(self.sizes, 1, out=self.ends)
            xp.divide(self.factor, self.ends, out=self.factor)
        for weight in weights:
            xp.multiply(self.factor, weight, out=self.factor)
        if self.zero_infinity:
            xp.isneginf(self.total, out=self.none)
            xp.copyto(self.total, 0, where=self.none)
            xp.copyto(self.factor, 0, where=self.none)

    def backward(self, grad: Array, dscores: Array | None, *_constants: None) -> None:
        """Write f·(softmax(z) − the share of paths through each class)."""
        if dscores is None:
            return
        n, wide = self.extended.shape
        dtype, shape = self.logs.dtype, self.logs.shape
        states = form((n, wide), dtype)
        shares, hot, through, scale, beyond, *rooms = scratches(
            form(self.emitted.shape, dtype),
            form((n, wide, shape[2]), dtype),
            form(shape, dtype),
            form((n,), dtype),
            form((n, shape[1]), bool),
            form((n, wide), bool),
            states,
            form((n, wide + 2), dtype),
            states,
            states,
        )
        self._share(shares, *rooms)
        xp.equal(self.extended[..., None], self.classes, out=hot)
        xp.matmul(shares.swapaxes(0, 1), hot, out=through)
        xp.exp(self.logs, out=dscores)
        xp.greater_equal(self.times, self.steps[:, None], out=beyond)
        xp.copyto(dscores, 0, where=beyond[..., None])
        xp.subtract(dscores, through, out=dscores)
        xp.multiply(self.factor, grad.item(), out=scale)
        xp.multiply(dscores, scale[:, None, None], out=dscores)

    def _share(
        self,
        shares: Array,
        earlier: Array,
        beta: Array,
        later: Array,
        final: Array,
        work: Array,
    ) -> None:
        """Write which share of the paths goes through each state at each step."""
        wide = beta.shape[1]
        for array in (beta, later, final):
            array.fill(-xp.inf)
        # A path ends at the last label or at the blank after it.
        ends = xp.multiply(self.sizes, 2, out=self.ends)[:, None]
        for _ in range(2):
            xp.equal(self.states, ends, out=earlier)
            xp.copyto(final, 0, where=earlier)
            xp.subtract(ends, 1, out=ends)
        for t in reversed(range(len(self.times))):
            if t + 1 < len(self.times):
                xp.add(beta, self.emitted[t + 1], out=later[:, :wide])
                xp.logaddexp(later[:, :wide], later[:, 1 : wide + 1], out=beta)
                xp.add(later[:, 2:], self.skip[:, 2:], out=work)
                xp.logaddexp(beta, work, out=beta)
            last = xp.equal(self.steps, t + 1, out=self.none)[:, None]
            xp.copyto(beta, final, where=last)
            share = shares[t]
            xp.add(self.alpha[t, :, 2:], beta, out=share)
            xp.subtract(share, self.total[:, None], out=share)
            xp.exp(share, out=share)

    def flops(self, *arrays: Sized) -> int:
        """Count softmax, and about twenty operations a state and step."""
        n, t = arrays[0].shape[:2]
        return int(5 * arrays[0].size + 20 * n * t * (2 * arrays[1].shape[1] + 1))

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Repeated labels, padding, lengths; rows without labels, or without a path."""
        labels = xp.asarray([[1, 1, 2], [2, 0, 0], [0, 0, 0], [1, 2, 1]])
        scores = rng.normal(0, 1.5, (4, 6, 3))
        steps, sizes = xp.asarray([6, 4, 3, 5]), xp.asarray([3, 3, 3, 2])
        given: tuple[Any, ...] = (scores, labels, steps, sizes)
        yield Case(cls(), given)
        weights = rng.uniform(0.5, 2.0, 4)
        yield Case(cls(reduction="sum"), (*given, weights))
        short = xp.asarray([3, 0, 0, 5])
        yield Case(cls(zero_infinity=True), (scores, labels, short, sizes))
        last = (scores[:1, :4], xp.asarray([[0, 1]]), steps[:1] - 2, sizes[:1] - 1)
        yield Case(cls(blank=2), last)
