"""What losses of class indices share: weights of classes, labels that do not count."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from nncli.autograd.buffers import form, scratch
from nncli.autograd.function import Function, Sized
from nncli.core.arrays import LINE, Array, xp
from nncli.core.errors import ShapeError
from nncli.ops.losses import Reduction, by_row, check_weights, counted
from nncli.ops.softmax import SHORT


class Categorical(Function, kw_only=True):
    """Base of losses Σ_i f_i·l_i / n of K scores a row (..., K) and labels (...).

    f_i is the class weight of row i's label times the row's own weight. n, for
    ``mean``, is the sum of the class weights of the rows' labels as in PyTorch's
    CrossEntropyLoss: without options, the number of rows. Rows' own weights do not
    enter n, as in Keras. A batch of ignored rows only has the loss 0 (PyTorch: NaN).
    Called with (scores, labels), and perhaps weights (N,), one factor a row, and
    lengths (N,), beyond which a row's labels (N, T, ...) count nothing.

    Args:
        reduction: ``mean`` divides by n, ``sum`` does not.
        class_weights: K factors of the rows of each class; None for 1.
        ignore_label: The class whose rows count nothing.
        by_length: The last input holds lengths.

    Class attributes:
        weighs_inside: l_i knows the class weights itself: they are no part of f_i.

    Attributes:
        axis: The axis of the classes in the matrix.
        direct: The scores lie in memory as such a matrix.
        row, total, picked, spare: (rows,) numbers.
        constant: The labels never change.
        wide_row: ``row`` as it broadcasts over the matrix.
        flat: All elements of the matrix that ``values`` or ``slopes`` writes.
    """

    reduction: Reduction = "mean"
    class_weights: Sequence[float] | None = None
    ignore_label: int | None = None
    by_length: bool = False

    differentiable = (True, False)
    saves_inputs = False
    saves_output = False
    weighs_inside: ClassVar[bool] = False

    def allocate(self, scores: Array, labels: Array, *given: Array) -> Array:
        weights, lengths = self._extras(given)
        self._check(scores, labels, lengths)
        check_weights(self.type_name, labels.shape[:1], weights)
        classes, rows, dtype = scores.shape[-1], labels.size, scores.dtype
        self.count = counted(rows) if self.reduction == "mean" else 1
        self._choose_order(scores, rows)
        self.kept = self._room(self.form.empty()) if self.differentiated else None
        self.ones = xp.ones(classes, dtype)
        self.index = xp.empty(rows, int)
        self.row, self.total, self.picked, self.spare = xp.empty((4, rows), dtype)
        self.wide_row = self.along(self.row)
        self._weigh_classes(classes, bool(given), dtype)
        steps = (0, 0) if lengths is None else labels.shape[:2]
        self.steps, self.beyond = xp.arange(steps[1]), xp.empty(steps, bool)
        self.constant = not labels.flags.writeable
        self._locate(labels)
        return xp.empty((), dtype)

    def _extras(
        self, given: tuple[Array, ...]
    ) -> tuple[tuple[Array, ...], Array | None]:
        """Tell weights from lengths."""
        return (given[:-1], given[-1]) if self.by_length else (given, None)

    def _choose_order(self, scores: Array, rows: int) -> None:
        """Compute with scores as a matrix.

        Classes come first where they lie so or are few, since reductions then run over
        many rows at a time, else rows come first.
        """
        classes = scores.shape[-1]
        classes_first = scores.ndim == 2 and scores.T.flags.c_contiguous
        self.axis = 0 if classes_first or classes <= SHORT else 1
        # Turned on the way, columns of a power of two would fall on few cache lines.
        self.gaps = self.axis == 0 and not classes_first
        self.direct = classes_first or (
            self.axis == 1 and self._turned(scores).flags.c_contiguous
        )
        gap = LINE // scores.itemsize if self.gaps else 0
        self.stride = rows + gap if self.axis == 0 else classes
        lines = classes if self.axis == 0 else rows
        self.form = form((lines, self.stride), scores.dtype)
        self.rows = rows
        # Where the label of row i stands: labels·stride + i, or labels + i·stride.
        step = 1 if self.axis == 0 else self.stride
        self.row_index = xp.arange(0, rows * step, step)
        self.label_step: Array = xp.asarray(self.stride if self.axis == 0 else 1)

    def _locate(self, labels: Array) -> None:
        """Write where each row's label stands in ``flat``."""
        xp.multiply(labels.reshape(-1), self.label_step, out=self.index)
        xp.add(self.index, self.row_index, out=self.index)

    def _weigh_classes(
        self, classes: int, weights: bool, dtype: np.dtype[np.generic]
    ) -> None:
        counted = xp.ones(classes, dtype)
        if self.ignore_label is not None:
            counted[self.ignore_label] = 0
        given = self.ones if self.class_weights is None else self.class_weights
        self.class_weight = xp.asarray(given, dtype)
        # What a row's label adds to n, and what it makes of the row's loss.
        self.label_table: Array = self.class_weight * counted
        self.row_table = counted if self.weighs_inside else self.label_table
        plain = xp.array_equal(self.label_table, self.ones) and not self.weighs_inside
        self.weighed = weights or not plain
        size = self.rows if self.weighed else 0
        self.label_weight, self.factor, self.scale = xp.empty((3, size), dtype)

    def _check(self, scores: Array, labels: Array, lengths: Array | None) -> None:
        """Refuse labels that do not fit the scores."""
        classes = scores.shape[-1] if scores.ndim else 0
        if lengths is not None and (
            labels.ndim < 2 or lengths.shape != labels.shape[:1]
        ):
            raise ShapeError(
                f"{self.type_name}: expected one length for each row of labels (N, T), "
                f"got lengths {lengths.shape} for labels {labels.shape}."
            )
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
    def values(self, z: Array, labels: Array, work: Array) -> Array:
        """Return l_i (rows,) of the matrix z; the base may write over it.

        Args:
            z: The scores.
            labels: Class indices.
            work: Like z; it is kept until ``slopes``.
        """

    @abstractmethod
    def slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        """Write scale·dl/dz; scale is one number, or one a row.

        Args:
            work: What ``values`` left in it.
            scale: The factor.
            out: Like z.
        """

    def forward(self, scores: Array, labels: Array, *rest: Array) -> None:
        if self.weighed:
            self._weigh(labels, *self._extras(rest[:-1]))
        work, self.flat = self.kept or self._room(scratch(self.form))
        values = self.values(self._turned(scores), labels, work)
        if self.weighed:
            xp.multiply(values, self.factor, out=values)
        rest[-1][()] = xp.add.reduce(values).item() / self.count

    def backward(
        self, grad: Array, dscores: Array | None, *_constants: Array | None
    ) -> None:
        """Write dL/dy·f·dl/dz / n."""
        if dscores is None or self.kept is None:
            return
        scale = grad.item() / self.count
        wide: float | Array = scale
        if self.weighed:
            wide = xp.multiply(self.factor, scale, out=self.scale)
        target = self._turned(dscores)
        out, self.flat = self._room(target if self.direct else scratch(self.form))
        self.slopes(self.kept[0], wide, out)
        if not self.direct:
            xp.copyto(target, out)

    def _turned(self, array: Array) -> Array:
        """Return (..., K) as a view with the classes along ``axis``."""
        rows = array if array.ndim == 2 else array.reshape(-1, array.shape[-1])
        return rows.T if self.axis == 0 else rows

    def _room(self, whole: Array) -> tuple[Array, Array]:
        """Return an array without the gaps at the ends of its lines, and flat."""
        matrix = whole[:, : self.rows] if self.axis == 0 else whole
        return matrix, whole.reshape(-1)

    def _weigh(
        self, labels: Array, weights: Sequence[Array], lengths: Array | None
    ) -> None:
        """Write every row's factor, and count n."""
        flat = labels.reshape(-1)
        self.label_table.take(flat, None, self.label_weight, "clip")
        self.row_table.take(flat, None, self.factor, "clip")
        if lengths is not None:
            xp.greater_equal(self.steps, lengths[:, None], out=self.beyond)
            for numbers in (self.label_weight, self.factor):
                steps = numbers.reshape(*self.beyond.shape, -1)
                xp.copyto(steps, 0, where=self.beyond[..., None])
        if self.reduction == "mean":
            self.count = xp.add.reduce(self.label_weight).item() or 1.0
        for weight in weights:
            factor = self.factor.reshape(len(weight), -1)
            xp.multiply(factor, by_row(weight, 2), out=factor)

    def along(self, numbers: float | Array) -> float | Array:
        """Return a number, or one a row, as it broadcasts over a matrix."""
        if self.axis == 0 or not isinstance(numbers, np.ndarray):
            return numbers
        by_row: Array = numbers[:, None]
        return by_row

    def weighted_sum(self, weights: Array, matrix: Array, out: Array) -> None:
        """Write Σ_k weights_k·matrix_k of each row."""
        if self.axis == 1:
            xp.dot(matrix, weights, out=out)
        else:
            # dot would copy a matrix with gaps, and is quicker with others.
            (xp.matmul if self.gaps else xp.dot)(weights, matrix, out=out)

    def shift(self, z: Array, labels: Array, work: Array) -> None:
        """Write z − m with m_i = max z_i to ``work``; leave the label's in ``picked``.

        Exponentials of these overflow nowhere.
        """
        if not self.direct:
            xp.copyto(work, z)
            z = work
        xp.maximum.reduce(z, axis=self.axis, out=self.row)
        xp.subtract(z, self.wide_row, out=work)
        self.pick(labels)

    def exponentiate(self, work: Array) -> None:
        """Write e^(z − m), its sum to ``total`` and the sum's logarithm to ``row``."""
        xp.exp(work, out=work)
        self.weighted_sum(self.ones, work, self.total)
        xp.log(self.total, out=self.row)

    def surprise(self, z: Array, labels: Array, work: Array) -> Array:
        """Return s_i = −ln softmax(z_i)[t_i].

        s_i = ln Σ_k e^(z_ik − m_i) − (z_i[t_i] − m_i). Leaves the exponentials in
        ``work``.
        """
        self.shift(z, labels, work)
        self.exponentiate(work)
        return xp.subtract(self.row, self.picked, out=self.row)

    def surprise_slopes(self, work: Array, scale: float | Array, out: Array) -> None:
        """Write scale·ds/dz with ds_i/dz_ik = softmax(z_i)_k − [k = t_i]."""
        xp.divide(scale, self.total, out=self.row)
        xp.multiply(work, self.wide_row, out=out)
        self.subtract_at_labels(scale)

    def pick(self, labels: Array) -> None:
        """Write each row's element at its label to ``picked``."""
        if not self.constant:
            self._locate(labels)
        # Labels were checked; "clip" spares the copy that "raise" makes.
        self.flat.take(self.index, None, self.picked, "clip")

    def subtract_at_labels(self, amount: float | Array) -> None:
        """Do matrix[label, row] -= amount, without the temporaries that this makes."""
        self.flat.take(self.index, None, self.spare, "clip")
        xp.subtract(self.spare, amount, out=self.spare)
        self.flat[self.index] = self.spare

    def flops(self, *arrays: Sized) -> int:
        """Count about five operations a score."""
        return 5 * arrays[0].size
