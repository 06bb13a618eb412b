"""What losses of class indices share: weights of classes, labels that do not count."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from nncli.autograd.function import Case, Function
from nncli.backend import Array, xp
from nncli.errors import ShapeError
from nncli.ops.losses import Reduction, by_row, check_weights


class Categorical(Function):
    """Base of losses Σ_i f_i·l_i / n of K scores a row (..., K) and labels (...).

    f_i is the class weight of row i's label times the row's own weight. n, for
    ``mean``, is the sum of the class weights of the rows' labels as in PyTorch's
    CrossEntropyLoss: without options, the number of rows. Rows' own weights do not
    enter n, as in Keras. A batch of ignored rows only has the loss 0 (PyTorch: NaN).
    Called with (scores, labels) or (scores, labels, weights), weights (N,) being one
    factor a row.

    Args:
        reduction: ``mean`` divides by n, ``sum`` does not.
        class_weights: K factors of the rows of each class; None for 1.
        ignore_label: The class whose rows count nothing.

    Class attributes:
        weighs_inside: l_i knows the class weights itself: they are no part of f_i.
    """

    differentiable = 1
    weighs_inside: ClassVar[bool] = False

    def __init__(
        self,
        reduction: Reduction = "mean",
        class_weights: Sequence[float] | None = None,
        ignore_label: int | None = None,
    ) -> None:
        self.reduction = reduction
        self.class_weights = class_weights
        self.ignore_label = ignore_label

    def allocate(self, scores: Array, labels: Array, *weights: Array) -> Array:
        """Make workspaces with classes first: reductions over classes are then fast."""
        self.check(scores, labels)
        check_weights(self.type_name, labels.shape[:1], weights)
        classes, rows = scores.shape[-1], labels.size
        dtype = scores.dtype
        self.count: float = rows if self.reduction == "mean" else 1
        self.row_index = xp.arange(rows)
        # Sums of few, long rows are faster as products with ones.
        self.ones = xp.ones(classes, dtype)
        self.stride: Array = xp.asarray(rows)
        self.index = xp.empty(rows, int)
        self.picked, self.row, self.total = xp.empty((3, rows), dtype)
        self.work: Array = xp.empty((classes, rows), dtype)
        self.work2: Array = xp.empty((classes, rows), dtype)
        counted = xp.ones(classes, dtype)
        if self.ignore_label is not None:
            counted[self.ignore_label] = 0
        given = self.ones if self.class_weights is None else self.class_weights
        self.class_weight = xp.asarray(given, dtype)
        self.counted = counted
        # What a row's label adds to n, and what it makes of the row's loss.
        self.label_table: Array = self.class_weight * counted
        self.row_table = counted if self.weighs_inside else self.label_table
        plain = xp.array_equal(self.label_table, self.ones) and not self.weighs_inside
        self.weighed = bool(weights) or not plain
        self.label_weight, self.factor, self.scale, self.spare = xp.empty(
            (4, rows if self.weighed else 0), dtype
        )
        return xp.empty((), dtype)

    def check(self, scores: Array, labels: Array) -> None:
        """Refuse labels that do not fit the scores."""
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
        given = self.class_weights
        if given is not None and len(given) != classes:
            raise ShapeError(
                f"{self.type_name}: expected one class weight for each of {classes} "
                f"classes, got {len(given)}."
            )
        if self.ignore_label is not None and not 0 <= self.ignore_label < classes:
            raise ShapeError(
                f"{self.type_name}: expected an ignored label from 0 to "
                f"{classes - 1}, got {self.ignore_label}."
            )

    @abstractmethod
    def values(self, z: Array, labels: Array) -> Array:
        """Write l_i of scores (K, rows) to a workspace and return it.

        The base may write over it.
        """

    @abstractmethod
    def slopes(self, scale: float | Array) -> None:
        """Write scale·dl/dz to ``work``; scale is one number, or one a row."""

    def forward(self, scores: Array, labels: Array, *rest: Array) -> None:
        """Write the sum or the mean."""
        if self.weighed:
            self.weigh(labels, rest[:-1])
        values = self.values(classes_first(scores), labels)
        if self.weighed:
            xp.multiply(values, self.factor, out=values)
        rest[-1][()] = xp.add.reduce(values).item() / self.count

    def backward(
        self, grad: Array, dscores: Array | None, *_constants: Array | None
    ) -> None:
        """Write dL/dy·f·dl/dz / n."""
        if dscores is None:
            return
        scale = grad.item() / self.count
        if self.weighed:
            self.slopes(xp.multiply(self.factor, scale, out=self.scale))
        else:
            self.slopes(scale)
        xp.copyto(classes_first(dscores), self.work)

    def weigh(self, labels: Array, weights: Sequence[Array]) -> None:
        """Write every row's factor, and count n."""
        flat = labels.reshape(-1)
        self.label_table.take(flat, None, self.label_weight, "clip")
        self.row_table.take(flat, None, self.factor, "clip")
        if self.reduction == "mean":
            self.count = xp.add.reduce(self.label_weight).item() or 1.0
        for weight in weights:
            factor = self.factor.reshape(len(weight), -1)
            xp.multiply(factor, by_row(weight, 2), out=factor)

    def surprise(self, z: Array, labels: Array) -> Array:
        """Write s_i = −ln softmax(z_i)[t_i] to ``row``; keep z − m, e^(z − m), its sum.

        With m_i = max z_i: s_i = ln Σ_k e^(z_ik − m_i) − (z_i[t_i] − m_i), which
        overflows nowhere.
        """
        xp.maximum.reduce(z, axis=0, out=self.row)
        xp.subtract(z, self.row, self.work)
        xp.exp(self.work, self.work2)
        xp.dot(self.ones, self.work2, self.total)
        xp.log(self.total, self.row)
        self.pick(labels)
        return xp.subtract(self.row, self.picked, self.row)

    def surprise_slopes(self, scale: float | Array) -> None:
        """Write scale·ds/dz to ``work``: ds_i/dz_ik = softmax(z_i)_k − [k = t_i]."""
        xp.divide(scale, self.total, out=self.row)
        xp.multiply(self.work2, self.row, self.work)
        self.subtract_at_labels(scale)

    def pick(self, labels: Array) -> None:
        """Write work[label of row i, row i] to ``picked``."""
        xp.multiply(labels.reshape(-1), self.stride, self.index)
        xp.add(self.index, self.row_index, self.index)
        # Labels were checked; "clip" spares the copy that "raise" makes.
        self.work.reshape(-1).take(self.index, None, self.picked, "clip")

    def subtract_at_labels(self, amount: float | Array) -> None:
        """Do work[label, row] -= amount, without the temporaries that this makes."""
        flat = self.work.reshape(-1)
        flat.take(self.index, None, self.picked, "clip")
        xp.subtract(self.picked, amount, out=self.picked)
        flat.put(self.index, self.picked, "clip")

    def flops(self, *arrays: Array) -> int:
        """Count about five operations a score."""
        return int(5 * arrays[0].size)


def classes_first(array: Array) -> Array:
    """Return (..., K) as a view of shape (K, rows)."""
    return array.T if array.ndim == 2 else array.reshape(-1, array.shape[-1]).T


def vary_classes(
    functions: Sequence[Categorical], rng: np.random.Generator, scores: Array
) -> Iterator[Case]:
    """Yield calls with drawn labels, and weights of the rows for the last function."""
    labels = rng.integers(0, scores.shape[-1], scores.shape[:-1])
    for function in functions[:-1]:
        yield Case(function, (scores, labels), constant=(1,))
    weights = rng.uniform(0.0, 2.0, len(scores))
    yield Case(functions[-1], (scores, labels, weights), constant=(1, 2))
