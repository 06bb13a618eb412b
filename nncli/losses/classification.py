"""Losses between K scores or probabilities a row and one of K classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape
from nncli.errors import ArgumentError, ShapeError
from nncli.losses.base import OneOp
from nncli.ops import losses_categorical as ops
from nncli.ops.losses import Reduction
from nncli.ops.softmax import Softmax
from nncli.signature import Count, NonNegative, PositiveFloat, UnitInterval

Weights = list[NonNegative] | None


class Categorical(OneOp):
    """Base of losses Σ_i w_t·l_i / Σ_i w_t of rows i with the class indices t.

    As in PyTorch's CrossEntropyLoss the mean divides by the class weights of the
    rows' labels, where an ignored label counts 0. If all labels of a batch are
    ignored its loss is 0 (PyTorch: NaN).
    """

    def __init__(
        self,
        class_weights: Weights = None,
        ignore_label: Count | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        if class_weights is not None and not any(class_weights):
            raise ArgumentError(
                f"{self.type_name}.class_weights: expected at least one above 0."
            )
        self.class_weights = class_weights
        self.ignore_label = ignore_label
        self.reduction = reduction

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return class indices."""
        if classes is None:
            raise ArgumentError(
                f"{self.type_name} expects classes as targets; the dataset gives "
                "numbers. Use a loss for numbers, such as mse."
            )
        count = len(classes)
        if output_shape != (count,):
            raise ShapeError(
                f"{self.type_name} expects one output for each of the {count} classes; "
                f"the network gives {output_shape}. Set units: {count} in the last "
                "layer."
            )
        if self.class_weights is not None and len(self.class_weights) != count:
            raise ArgumentError(
                f"{self.type_name}.class_weights: expected one number for each of the "
                f"{count} classes, got {len(self.class_weights)}."
            )
        if self.ignore_label is not None and self.ignore_label >= count:
            raise ArgumentError(
                f"{self.type_name}.ignore_label: expected the index of a class, 0 to "
                f"{count - 1}, got {self.ignore_label}."
            )
        return targets.astype(np.int64)

    def amount(self, targets: Array) -> float:
        """Return the sum of the class weights of the labels that count."""
        if self.class_weights is None and self.ignore_label is None:
            return targets.size
        counts = np.bincount(targets.reshape(-1)).astype(np.float64)
        if self.ignore_label is not None:
            counts[self.ignore_label : self.ignore_label + 1] = 0
        if self.class_weights is not None:
            counts *= self.class_weights[: len(counts)]
        return float(counts.sum())

    def predictions(self, outputs: Array) -> Array:
        """Return probabilities."""
        if self.takes == "distribution":
            return outputs
        return apply(Softmax(), Tensor(outputs)).data


class SoftmaxCrossEntropy(Categorical, name="softmax_cross_entropy"):
    """−Σ_i ln softmax(z_i)[t_i] / N, from logits z (N, K) and class indices t (N,).

    PyTorch's ``cross_entropy``, with all its options. If all labels of a batch are
    ignored its loss is 0 (PyTorch: NaN).

    Args:
        class_weights: One factor a class; the mean then divides by their sum over rows.
        ignore_label: Index of a class whose rows count nothing.
        label_smoothing: The share of the target that is spread over all classes.
        reduction: mean over the rows, or their sum.
    """

    takes = "logits"

    def __init__(
        self,
        class_weights: Weights = None,
        ignore_label: Count | None = None,
        label_smoothing: UnitInterval = 0.0,
        reduction: Reduction = "mean",
    ) -> None:
        self.label_smoothing = label_smoothing
        super().__init__(class_weights, ignore_label, reduction)

    def function(self) -> Function:
        """Make the op: another one for smoothed labels."""
        rest = (self.reduction, self.class_weights, self.ignore_label)
        if self.label_smoothing:
            return ops.SmoothedSoftmaxCrossEntropy(self.label_smoothing, *rest)
        return ops.SoftmaxCrossEntropy(*rest)


class CategoricalCrossEntropy(Categorical, name="categorical_cross_entropy"):
    """−Σ_i ln p_i[t_i] / N, from probabilities p (N, K) and class indices t (N,).

    After a softmax as the last layer both are fused into softmax_cross_entropy. As in
    PyTorch's binary cross entropy, a logarithm counts at least −100.

    Args:
        class_weights: One factor a class; the mean then divides by their sum over rows.
        ignore_label: Index of a class whose rows count nothing.
        label_smoothing: The share of the target that is spread over all classes.
        reduction: mean over the rows, or their sum.
    """

    takes = "distribution"
    fusion = ("softmax", "softmax_cross_entropy")

    def __init__(
        self,
        class_weights: Weights = None,
        ignore_label: Count | None = None,
        label_smoothing: UnitInterval = 0.0,
        reduction: Reduction = "mean",
    ) -> None:
        self.label_smoothing = label_smoothing
        super().__init__(class_weights, ignore_label, reduction)

    def function(self) -> Function:
        """Make the op: another one for smoothed labels."""
        rest = (self.reduction, self.class_weights, self.ignore_label)
        if self.label_smoothing:
            return ops.SmoothedCategoricalCrossEntropy(self.label_smoothing, *rest)
        return ops.CategoricalCrossEntropy(*rest)


class SoftmaxFocal(Categorical, name="softmax_focal"):
    """−Σ_i (1 − p_i)^γ·ln p_i / N with p_i = softmax(z_i)[t_i], from logits z (N, K).

    Cross entropy in which what is right already counts little. Lin et al. 2017,
    "Focal Loss for Dense Object Detection"; class weights are its α.

    Args:
        gamma: The exponent γ of focus; 0 is plain cross entropy.
        class_weights: One factor a class; the mean then divides by their sum over rows.
        ignore_label: Index of a class whose rows count nothing.
        reduction: mean over the rows, or their sum.
    """

    takes = "logits"

    def __init__(
        self,
        gamma: NonNegative = 2.0,
        class_weights: Weights = None,
        ignore_label: Count | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        self.gamma = gamma
        super().__init__(class_weights, ignore_label, reduction)

    def function(self) -> Function:
        """Make the op."""
        return ops.SoftmaxFocal(
            self.gamma, self.reduction, self.class_weights, self.ignore_label
        )


class MultiClassHinge(Categorical, name="multi_class_hinge"):
    """Σ_i Σ_{k ≠ t} max(0, margin − z_it + z_ik) / (K·N), from scores z (N, K).

    Weston and Watkins 1999; PyTorch's MultiMarginLoss with p=1. Predictions are
    softmax(z): the highest score is the decision, but no true probability.

    Args:
        margin: How far the right score has to be above the others.
        reduction: mean over the rows, or their sum.
    """

    takes = "logits"

    def __init__(
        self, margin: PositiveFloat = 1.0, reduction: Reduction = "mean"
    ) -> None:
        self.margin = margin
        super().__init__(None, None, reduction)

    def function(self) -> Function:
        """Make the op."""
        return ops.MultiClassHinge(self.margin, self.reduction)
