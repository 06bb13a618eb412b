"""Losses: how far outputs are from targets, averaged to one number."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Literal

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, Shape, xp
from nncli.errors import ShapeError

Reduction = Literal["mean", "sum"]


class Elementwise(Function):
    """Base of losses Σ w·l(x, t) / n of outputs x and targets t in one shape.

    A member defines l and dl/dx for each element; the base does the rest. Targets and
    weights are constants: their gradient is not defined. Called with (outputs,
    targets) or (outputs, targets, weights), weights (N,) being one factor a row.

    Args:
        reduction: ``mean`` divides by the number of elements, ``sum`` does not.
    """

    differentiable = 1

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = reduction

    def allocate(self, outputs: Array, targets: Array, *weights: Array) -> Array:
        """Make room for two numbers an element."""
        if outputs.shape != targets.shape:
            raise ShapeError(
                f"{self.type_name}: expected targets of the outputs' shape "
                f"{outputs.shape}, got {targets.shape}."
            )
        check_weights(self.type_name, outputs.shape[:1], weights)
        self.count = outputs.size if self.reduction == "mean" else 1
        self.work, self.work2 = xp.empty_like(outputs), xp.empty_like(outputs)
        return xp.empty((), outputs.dtype)

    @abstractmethod
    def values(self, x: Array, t: Array) -> Array:
        """Write l(x, t) to a workspace and return it."""

    @abstractmethod
    def slopes(self, scale: float, dx: Array) -> None:
        """Write scale·dl/dx."""

    def forward(self, outputs: Array, targets: Array, *rest: Array) -> None:
        """Write the sum or the mean."""
        self.weights = rest[0] if len(rest) == 2 else None
        values = self.values(outputs, targets)
        if self.weights is not None:
            xp.multiply(values, _by_row(self.weights, values.ndim), out=values)
        rest[-1][()] = xp.add.reduce(values, axis=None).item() / self.count

    def backward(
        self, grad: Array, doutputs: Array | None, *_constants: Array | None
    ) -> None:
        """Write dL/dy·w·dl/dx / n."""
        if doutputs is None:
            return
        self.slopes(grad.item() / self.count, doutputs)
        if self.weights is not None:
            xp.multiply(doutputs, _by_row(self.weights, doutputs.ndim), out=doutputs)

    def flops(self, *arrays: Array) -> int:
        """Count about three operations an element."""
        return int(3 * arrays[0].size)


def check_weights(name: str, rows: Shape, weights: tuple[Array, ...]) -> None:
    """Refuse weights that are not one number a row."""
    if weights and weights[0].shape != rows:
        raise ShapeError(
            f"{name}: expected one weight a row, shape {rows}, got {weights[0].shape}."
        )


def _by_row(weights: Array, ndim: int) -> Array:
    return weights.reshape(-1, *(1,) * (ndim - 1))


class MeanSquaredError(Elementwise, name="mse"):
    """y = Σ (x − t)² / n over all n elements; dl/dx = 2·(x − t)."""

    def values(self, x: Array, t: Array) -> Array:
        """Write (x − t)²."""
        xp.subtract(x, t, self.work)
        return xp.multiply(self.work, self.work, self.work2)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write 2·(x − t)."""
        xp.multiply(self.work, 2 * scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, one column, several, a sum, and weighted rows."""
        for shape in ((1, 3), (4, 1), (3, 2)):
            inputs = (rng.normal(size=shape), rng.normal(size=shape))
            yield Case(cls(), inputs, constant=(1,))
            yield Case(cls("sum"), inputs, constant=(1,))
            weights = rng.uniform(size=shape[0])
            yield Case(cls(), (*inputs, weights), constant=(1, 2))


class SigmoidBinaryCrossEntropy(Elementwise, name="sigmoid_binary_cross_entropy"):
    """Cross entropy of targets t in [0, 1] with p = σ(z), from the logits z.

    l = max(z, 0) − z·t + ln(1 + e^−|z|), which equals
    −t·ln p − (1 − t)·ln(1 − p) and overflows nowhere; dl/dz = σ(z) − t.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write l."""
        self.logits, self.targets = x, t
        xp.abs(x, self.work)
        xp.negative(self.work, self.work)
        xp.exp(self.work, self.work)
        xp.log1p(self.work, self.work)
        xp.maximum(x, 0, out=self.work2)
        xp.add(self.work, self.work2, self.work)
        xp.multiply(x, t, self.work2)
        return xp.subtract(self.work, self.work2, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write σ(z) − t with σ(z) = ½ + ½·tanh(z/2)."""
        xp.multiply(self.logits, 0.5, out=self.work)
        xp.tanh(self.work, self.work)
        xp.multiply(self.work, 0.5, out=self.work)
        xp.add(self.work, 0.5, out=self.work)
        xp.subtract(self.work, self.targets, self.work)
        xp.multiply(self.work, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Hard and soft targets."""
        for shape in ((1, 1), (5, 1), (3, 4)):
            logits = rng.normal(0, 3, shape)
            hard = rng.integers(0, 2, shape).astype(logits.dtype)
            yield Case(cls(), (logits, hard), constant=(1,))
            yield Case(cls(), (logits, rng.uniform(size=shape)), constant=(1,))


class BinaryCrossEntropy(Elementwise, name="binary_cross_entropy"):
    """Cross entropy of targets t in [0, 1] with probabilities p.

    l = −t·ln p − (1 − t)·ln(1 − p); dl/dp = (p − t) / (p·(1 − p)).
    As in PyTorch, a logarithm counts at least −100 and p·(1 − p) at least 1e-12.
    """

    def values(self, x: Array, t: Array) -> Array:
        """Write l."""
        self.probabilities, self.targets = x, t
        with xp.errstate(divide="ignore"):
            xp.log(x, self.work)
            xp.negative(x, self.work2)
            xp.log1p(self.work2, self.work2)
        xp.maximum(self.work, -100, out=self.work)
        xp.maximum(self.work2, -100, out=self.work2)
        # t·a + (1 − t)·b = b + t·(a − b)
        xp.subtract(self.work, self.work2, self.work)
        xp.multiply(self.work, t, self.work)
        xp.add(self.work, self.work2, self.work)
        return xp.negative(self.work, self.work)

    def slopes(self, scale: float, dx: Array) -> None:
        """Write (p − t) / (p·(1 − p))."""
        xp.subtract(1, self.probabilities, out=self.work)
        xp.multiply(self.work, self.probabilities, self.work)
        xp.maximum(self.work, 1e-12, out=self.work)
        xp.subtract(self.probabilities, self.targets, self.work2)
        xp.divide(self.work2, self.work, self.work2)
        xp.multiply(self.work2, scale, out=dx)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Hard and soft targets."""
        for shape in ((1, 1), (3, 4)):
            p = rng.uniform(0.1, 0.9, shape)
            hard = rng.integers(0, 2, shape).astype(p.dtype)
            yield Case(cls(), (p, hard), constant=(1,))
            yield Case(cls(), (p, rng.uniform(size=shape)), constant=(1,))


class Categorical(Function):
    """Base of losses of K scores a row (..., K) and one class index a row (...)."""

    differentiable = 1

    def allocate(self, scores: Array, labels: Array) -> Array:
        """Make workspaces with classes first: reductions over classes are then fast."""
        classes = scores.shape[-1] if scores.ndim else 0
        if scores.shape[:-1] != labels.shape or labels.dtype.kind not in "iu":
            raise ShapeError(
                f"{self.type_name}: expected one integer label for each row of "
                f"{scores.shape}, got {labels.dtype} labels of shape {labels.shape}."
            )
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ShapeError(
                f"{self.type_name}: expected labels from 0 to {classes - 1}, "
                f"got labels from {labels.min()} to {labels.max()}."
            )
        rows = labels.size
        self.rows = rows
        self.row_index = xp.arange(rows)
        # Sums of few, long rows are faster as products with ones.
        self.ones = xp.ones(classes, scores.dtype)
        self.stride: Array = xp.asarray(rows)
        self.index = xp.empty(rows, int)
        self.picked, self.row, self.total = xp.empty((3, rows), scores.dtype)
        self.work: Array = xp.empty((classes, rows), scores.dtype)
        self.work2: Array = xp.empty((classes, rows), scores.dtype)
        return xp.empty((), scores.dtype)

    def pick(self, labels: Array) -> None:
        """Write work[label of row i, row i] to ``picked``."""
        xp.multiply(labels.reshape(-1), self.stride, self.index)
        xp.add(self.index, self.row_index, self.index)
        # Labels were checked; "clip" spares the copy that "raise" makes.
        self.work.reshape(-1).take(self.index, None, self.picked, "clip")


def classes_first(array: Array) -> Array:
    """Return (..., K) as a view of shape (K, rows)."""
    return array.T if array.ndim == 2 else array.reshape(-1, array.shape[-1]).T


class SoftmaxCrossEntropy(Categorical, name="softmax_cross_entropy"):
    """y = −Σ_i ln softmax(z_i)[t_i] / N, from the logits z and class indices t.

    z (N, K), t (N,) → y (); with m_i = max z_i: ln softmax(z_i)[t_i] =
    z_i[t_i] − m_i − ln Σ_k e^(z_ik − m_i), which overflows nowhere;
    dL/dz_ik = dL/dy · (softmax(z_i)_k − [k = t_i]) / N.
    """

    def forward(self, scores: Array, labels: Array, out: Array) -> None:
        """Write the mean of ln Σ e^(z − m) − (z[t] − m)."""
        z = classes_first(scores)
        xp.maximum.reduce(z, axis=0, out=self.row)
        xp.subtract(z, self.row, self.work)
        xp.exp(self.work, self.work2)
        xp.dot(self.ones, self.work2, self.total)
        xp.log(self.total, self.row)
        self.pick(labels)
        xp.subtract(self.row, self.picked, self.row)
        out[()] = xp.add.reduce(self.row).item() / self.rows

    def backward(
        self, grad: Array, dscores: Array | None, dlabels: Array | None = None
    ) -> None:
        """Write (softmax(z) − one-hot) / N."""
        if dscores is None:
            return
        scale = grad.item() / self.rows
        xp.divide(scale, self.total, out=self.row)
        xp.multiply(self.work2, self.row, self.work)
        # work[t, row] -= scale, without the temporaries that this would make.
        flat = self.work.reshape(-1)
        flat.take(self.index, None, self.picked, "clip")
        xp.subtract(self.picked, scale, out=self.picked)
        flat.put(self.index, self.picked, "clip")
        xp.copyto(classes_first(dscores), self.work)

    def flops(self, *arrays: Array) -> int:
        """Count about five operations a score."""
        return int(5 * arrays[0].size)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences, scores that are far apart."""
        for shape, scale in (((1, 2), 1.0), ((5, 3), 1.0), ((2, 3, 4), 5.0)):
            labels = rng.integers(0, shape[-1], shape[:-1])
            yield Case(cls(), (rng.normal(0, scale, shape), labels), constant=(1,))


class CategoricalCrossEntropy(Categorical, name="categorical_cross_entropy"):
    """y = −Σ_i ln p_i[t_i] / N, from probabilities p and class indices t.

    p (N, K), t (N,) → y (); dL/dp_ik = −dL/dy · [k = t_i] / p_ik / N. As in PyTorch's
    binary cross entropy, a logarithm counts at least −100 and p at least 1e-12.
    """

    def forward(self, scores: Array, labels: Array, out: Array) -> None:
        """Write the mean of −ln p[t]."""
        xp.copyto(self.work, classes_first(scores))
        self.pick(labels)
        with xp.errstate(divide="ignore"):
            xp.log(self.picked, self.row)
        xp.maximum(self.row, -100, out=self.row)
        out[()] = -xp.add.reduce(self.row).item() / self.rows

    def backward(
        self, grad: Array, dscores: Array | None, dlabels: Array | None = None
    ) -> None:
        """Write −1 / p[t] / N at the labels, 0 elsewhere."""
        if dscores is None:
            return
        xp.maximum(self.picked, 1e-12, out=self.row)
        xp.divide(-grad.item() / self.rows, self.row, out=self.row)
        self.work.fill(0)
        xp.put(self.work.reshape(-1), self.index, self.row)
        xp.copyto(classes_first(dscores), self.work)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """One row, several, sequences."""
        for shape in ((1, 2), (5, 3), (2, 3, 4)):
            p = rng.uniform(0.1, 1.0, shape)
            labels = rng.integers(0, shape[-1], shape[:-1])
            yield Case(cls(), (p, labels), constant=(1,))


class Penalty(Function, name="penalty"):
    """y = x + l1·Σ|w| + l2·Σw²: the loss x with a price on the weight w.

    dL/dx = dL/dy; dL/dw = dL/dy · (l1·sign(w) + 2·l2·w). As in Keras, l2 multiplies
    Σw² without a factor ½.

    Args:
        l1: Price of the sum of absolute values.
        l2: Price of the sum of squares.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = l1
        self.l2 = l2

    def allocate(self, x: Array, weight: Array) -> Array:
        """Make room for |w|."""
        self.work = xp.empty_like(weight)
        return xp.empty_like(x)

    def forward(self, x: Array, weight: Array, out: Array) -> None:
        """Write the sum."""
        self.weight = weight
        price = 0.0
        if self.l2:
            price += self.l2 * xp.vdot(weight, weight).item()
        if self.l1:
            xp.abs(weight, self.work)
            price += self.l1 * xp.add.reduce(self.work, axis=None).item()
        out[()] = x.item() + price

    def backward(self, grad: Array, dx: Array | None, dweight: Array | None) -> None:
        """Hand the gradient on, and write that of the price."""
        if dx is not None:
            xp.copyto(dx, grad)
        if dweight is None:
            return
        scale = grad.item()
        xp.multiply(self.weight, 2 * self.l2 * scale, out=dweight)
        if self.l1:
            xp.sign(self.weight, self.work)
            xp.multiply(self.work, self.l1 * scale, out=self.work)
            xp.add(dweight, self.work, dweight)

    @classmethod
    def cases(cls, rng: np.random.Generator) -> Iterator[Case]:
        """Each price alone, and both."""
        for l1, l2 in ((0.3, 0.0), (0.0, 0.2), (0.1, 0.4)):
            yield Case(cls(l1, l2), (xp.asarray(1.5), rng.normal(size=(3, 2))))
