"""Losses between scores or probabilities and classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape
from nncli.errors import ShapeError
from nncli.losses.base import Loss, given, one_hot_or_values
from nncli.ops import losses
from nncli.ops.elementwise import Sigmoid
from nncli.ops.softmax import Softmax


class SoftmaxCrossEntropy(Loss, name="softmax_cross_entropy"):
    """−Σ_i ln softmax(z_i)[t_i] / N, from logits z (N, K) and class indices t (N,).

    PyTorch's ``cross_entropy``.
    """

    takes = "logits"

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean negative log-likelihood."""
        return apply(losses.SoftmaxCrossEntropy(), outputs, targets, *given(weights))

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return class indices."""
        return _labels(targets, classes, output_shape, self.type_name)

    def predictions(self, outputs: Array) -> Array:
        """Return probabilities."""
        return apply(Softmax(), Tensor(outputs)).data


class CategoricalCrossEntropy(Loss, name="categorical_cross_entropy"):
    """−Σ_i ln p_i[t_i] / N, from probabilities p (N, K) and class indices t (N,).

    After a softmax as the last layer both are fused into softmax_cross_entropy.
    """

    takes = "distribution"
    fusion = ("softmax", "softmax_cross_entropy")

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean negative log-likelihood."""
        return apply(
            losses.CategoricalCrossEntropy(), outputs, targets, *given(weights)
        )

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return class indices."""
        return _labels(targets, classes, output_shape, self.type_name)


class SigmoidBinaryCrossEntropy(Loss, name="sigmoid_binary_cross_entropy"):
    """−Σ [t·ln σ(z) + (1 − t)·ln(1 − σ(z))] / n, from logits z, over all n elements.

    Two classes with one output (0 and 1), or K classes with K outputs (one against
    the rest). PyTorch's ``binary_cross_entropy_with_logits``.
    """

    takes = "logits"

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean negative log-likelihood."""
        return apply(
            losses.SigmoidBinaryCrossEntropy(), outputs, targets, *given(weights)
        )

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return zeros and ones in the outputs' shape."""
        return _zeros_and_ones(targets, classes, output_shape, dtype, self.type_name)

    def predictions(self, outputs: Array) -> Array:
        """Return probabilities."""
        return apply(Sigmoid(), Tensor(outputs)).data


class BinaryCrossEntropy(Loss, name="binary_cross_entropy"):
    """−Σ [t·ln p + (1 − t)·ln(1 − p)] / n, from probabilities p, over all n elements.

    As in PyTorch, a logarithm counts at least −100. After a sigmoid as the last layer
    both are fused into sigmoid_binary_cross_entropy.
    """

    takes = "probability"
    fusion = ("sigmoid", "sigmoid_binary_cross_entropy")

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the mean negative log-likelihood."""
        return apply(losses.BinaryCrossEntropy(), outputs, targets, *given(weights))

    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Return zeros and ones in the outputs' shape."""
        return _zeros_and_ones(targets, classes, output_shape, dtype, self.type_name)


def _labels(
    targets: Array, classes: tuple[str, ...] | None, output_shape: Shape, name: str
) -> Array:
    if classes is None:
        raise ShapeError(
            f"{name} expects classes as targets; the dataset gives numbers. "
            "Use a loss for numbers, such as mse."
        )
    if output_shape != (len(classes),):
        raise ShapeError(
            f"{name} expects one output for each of the {len(classes)} classes; the "
            f"network gives {output_shape}. Set units: {len(classes)} in the last "
            "layer."
        )
    return targets.astype(np.int64)


def _zeros_and_ones(
    targets: Array,
    classes: tuple[str, ...] | None,
    output_shape: Shape,
    dtype: np.dtype[Any],
    name: str,
) -> Array:
    values = one_hot_or_values(targets, classes, output_shape, dtype, name)
    if values.size and not 0 <= values.min() <= values.max() <= 1:
        raise ShapeError(
            f"{name} expects targets between 0 and 1; the dataset's go from "
            f"{values.min():g} to {values.max():g}. Use a loss for numbers: mse."
        )
    return values
