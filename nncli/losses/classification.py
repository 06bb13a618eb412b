"""Losses between K scores or probabilities a row and one of K classes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, counted
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.signature import Count, NonNegative, PositiveFloat, UnitInterval
from nncli.losses.base import Targets, lengths_of
from nncli.losses.by_class import ByClass
from nncli.ops import losses_categorical as ops
from nncli.ops.softmax import Softmax

_ONE_HOT = (
    "{} expects class indices as targets; got one-hot rows. Give y.argmax(axis=-1)."
)


class Categorical(ByClass, kw_only=True):
    """Base of losses from outputs (N, ..., K) and class indices (N, ...).

    Where targets (or else outputs) have lengths, steps beyond them count nothing.
    """

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        lengths = lengths_of(outputs, targets)
        if lengths is None:
            return super().__call__(outputs, targets, weights)
        self.check_fitted()
        function: Any = self.function()
        function.by_length = True
        given = () if weights is None else (weights,)
        return apply(function, outputs, targets, *given, Tensor(lengths))

    def encode(self, targets: Targets) -> Array:
        """Return class indices."""
        if targets.classes is None and _one_hot(targets.values):
            raise ArgumentError(_ONE_HOT.format(self.type_name))
        if targets.classes is None:
            raise ArgumentError(
                f"{self.type_name} expects classes as targets; the dataset gives "
                "numbers. Use a loss for numbers, such as mse."
            )
        count, shape = len(targets.classes), targets.output_shape
        given = targets.values.shape[1:]
        if shape != (*given, count) and _one_hot(targets.values) and given == shape:
            raise ArgumentError(_ONE_HOT.format(self.type_name))
        if given == (1,) and shape == (count,):
            raise ArgumentError(
                f"{self.type_name} expects one class index a row, (N,); got a column, "
                "(N, 1). Give y.ravel()."
            )
        if shape != (*targets.values.shape[1:], count):
            raise ShapeError(
                f"{self.type_name} expects one output for each of the {count} classes"
                f"{_steps(given, shape)}; the network gives {shape}. Set units: "
                f"{count} in the last layer."
            )
        self.check_classes(count)
        indices = targets.values.astype(np.int64)
        if not self.weighs_inside:
            self.check_rows(indices)
        return indices

    def names_classes(self, targets: Array) -> bool:
        """Any number of axes; but numbers with several are one-hot rows by mistake."""
        return targets.ndim == 1 or targets.dtype.kind not in "f"

    def amount(self, targets: Array, lengths: Array | None = None) -> float:
        return counted(targets, lengths).size

    def predictions(self, outputs: Tensor) -> Tensor:
        """Return probabilities."""
        if self.takes == "distribution":
            return outputs
        return apply(Softmax(), outputs)


class Weighted(Categorical, kw_only=True):
    """Base of losses Σ_i w_t·l_i / Σ_i w_t of rows i with the class indices t.

    As in PyTorch's CrossEntropyLoss the mean divides by the class weights of the
    rows' labels, where an ignored label counts 0. A row's own weight is one more factor
    of its l_i, but no part of what is divided by. If all labels of a batch are ignored
    its loss is 0 (PyTorch: NaN).

    Args:
        class_weights: One factor a class; the mean then divides by their sum over rows.
            ``balanced`` takes n / (K·n_k), where n_k of the n training rows are of
            class k, when the rows are known: checkpoints hold the numbers.
        ignore_label: Index of a class whose rows count nothing.
    """

    ignore_label: Count | None = None

    weighs_inside = True

    @property
    def ignored(self) -> int | None:
        return self.ignore_label

    def check_classes(self, count: int) -> None:
        super().check_classes(count)
        if self.ignore_label is not None and self.ignore_label >= count:
            raise ArgumentError(
                f"{self.type_name}.ignore_label: expected the index of a class, 0 to "
                f"{count - 1}, got {self.ignore_label}."
            )

    def amount(self, targets: Array, lengths: Array | None = None) -> float:
        """Return the sum of the class weights of the labels that count."""
        targets = counted(targets, lengths)
        if self.class_weights is None and self.ignore_label is None:
            return targets.size
        counts = np.bincount(targets.reshape(-1)).astype(np.float64)
        if self.ignore_label is not None:
            counts[self.ignore_label : self.ignore_label + 1] = 0
        if isinstance(self.class_weights, list):
            counts *= self.class_weights[: len(counts)]
        return float(counts.sum())


class Smoothable(Weighted):
    """Base of cross entropies, which are another op where labels are smoothed.

    Class attributes:
        smoothed: That op.

    Args:
        label_smoothing: The share of the target that is spread over all classes.
    """

    label_smoothing: UnitInterval = 0.0

    smoothed: ClassVar[type[Function]]

    def function(self) -> Function:
        arguments = self.arguments
        if self.label_smoothing:
            return self.smoothed(**arguments)
        del arguments["label_smoothing"]
        function: Function = self.op(**arguments)  # type: ignore[misc]
        return function


class SoftmaxCrossEntropy(Smoothable, name="softmax_cross_entropy"):
    """−Σ_i ln softmax(z_i)[t_i] / N, from logits z (N, K) and class indices t (N,).

    PyTorch's ``cross_entropy``, with all its options; outputs (N, T, K) have targets
    (N, T). With class weights see ``Weighted``.
    """

    op = ops.SoftmaxCrossEntropy
    smoothed = ops.SmoothedSoftmaxCrossEntropy
    takes = "logits"


class CategoricalCrossEntropy(Smoothable, name="categorical_cross_entropy"):
    """−Σ_i ln p_i[t_i] / N, from probabilities p (N, K) and class indices t (N,).

    After a softmax as the last layer both are fused into softmax_cross_entropy. As in
    PyTorch's binary cross entropy, a logarithm counts at least −100. With class weights
    see ``Weighted``.
    """

    op = ops.CategoricalCrossEntropy
    smoothed = ops.SmoothedCategoricalCrossEntropy
    takes = "distribution"
    fusion = ("softmax", "softmax_cross_entropy")


class SoftmaxFocal(Weighted, name="softmax_focal"):
    """−Σ_i (1 − p_i)^γ·ln p_i / N with p_i = softmax(z_i)[t_i], from logits z (N, K).

    Cross entropy in which what is right already counts little. Lin et al. 2017,
    "Focal Loss for Dense Object Detection"; class weights are its
    α, see ``Weighted``.

    Args:
        gamma: The exponent γ of focus; 0 is plain cross entropy.
    """

    gamma: NonNegative = 2.0

    op = ops.SoftmaxFocal
    takes = "logits"


class MultiClassHinge(Categorical, name="multi_class_hinge"):
    """Σ_i Σ_{k ≠ t} max(0, margin − z_it + z_ik) / (K·N), from scores z (N, K).

    Weston and Watkins 1999; PyTorch's MultiMarginLoss with p=1, whose mean divides by N
    with class weights as well. Predictions are softmax(z): the highest score is the
    decision, but no true probability.

    Args:
        margin: How far the right score has to be above the others.
    """

    margin: PositiveFloat = 1.0

    op = ops.MultiClassHinge
    takes = "logits"


def _one_hot(values: Array) -> bool:
    """Whether rows are of zeros and a single one."""
    if values.ndim < 2 or values.shape[-1] < 2:
        return False
    zeros_and_ones = bool(((values == 0) | (values == 1)).all())
    return zeros_and_ones and bool((values.sum(axis=-1) == 1).all())


def _steps(given: Shape, shape: Shape) -> str:
    """Say how outputs stand where each row has many classes, if these do not so."""
    if not given or shape[:-1] == given:
        return ""
    return f" at each step, ({', '.join(map(str, given))}, K)"
