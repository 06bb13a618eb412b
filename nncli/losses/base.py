"""Loss: the abstract class and the registry of what training makes small."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape, xp
from nncli.errors import ArgumentError, ShapeError
from nncli.ops.losses import Reduction
from nncli.registry import Component

Takes = Literal["logits", "probability", "distribution", "anything"]

_FITS = {
    "logits": ("real",),
    "probability": ("probability",),
    "distribution": ("distribution",),
}

_GIVES = {
    "real": "any numbers",
    "probability": "probabilities",
    "distribution": "distributions",
}


class Loss(Component, family="loss"):
    """One number that says how far outputs are from targets.

    Class attributes:
        takes: What the last layer must give.
        fusion: (layer, loss): as the last layer of a config, ``layer`` is left to this
            loss, and both are computed by ``loss``, which is safer in numbers; it has
            the same arguments.
        positive: Outputs must be above 0.

    Attributes:
        reduction: Whether a batch's loss is a ``mean`` or a ``sum``.
    """

    takes: ClassVar[Takes] = "anything"
    fusion: ClassVar[tuple[str, str] | None] = None
    positive: ClassVar[bool] = False
    reduction: Reduction = "mean"

    @abstractmethod
    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss of a batch as a scalar.

        Args:
            outputs: (N, ...) what the network gives.
            targets: (N, ...) what ``encode`` made of the targets.
            weights: (N,) factor of each row's loss; None for 1. The mean is still
                over N, as in Keras.
        """

    @abstractmethod
    def encode(
        self,
        targets: Array,
        classes: tuple[str, ...] | None,
        output_shape: Shape,
        dtype: np.dtype[Any],
    ) -> Array:
        """Write a dataset's targets in the form that the loss compares with.

        Args:
            targets: (N,) class indices, or (N, ...) numbers.
            classes: The classes' names; None where targets are numbers.
            output_shape: Shape of one row of the network's output.
            dtype: The element type of the run.

        Raises:
            ShapeError: Such targets do not fit outputs of such a shape.
            ArgumentError: Such targets do not fit the loss, whatever the shape.
        """

    def amount(self, targets: Array) -> float:
        """Return what the mean over a batch divides by, up to a constant: the rows.

        Means of batches are put together in this proportion.

        Args:
            targets: (N, ...) what ``encode`` made of the targets.
        """
        return len(targets)

    def predictions(self, outputs: Array) -> Array:
        """Turn outputs into what metrics score: probabilities, or the values."""
        return outputs

    def refuses(self, output: str) -> str | None:
        """Say why the loss does not fit behind a last layer of some kind."""
        if self.takes == "anything" or output in _FITS[self.takes]:
            return None
        wanted = {
            "logits": "raw scores (logits): let the network end with a dense layer",
            "probability": "probabilities: let the network end with sigmoid",
            "distribution": "distributions: let the network end with softmax",
        }[self.takes]
        found = _GIVES[output]
        return f"{self.type_name} expects {wanted}; the last layer gives {found}."


class OneOp(Loss):
    """Base of losses that are one op of (outputs, targets) or (..., weights)."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        self.reduction = reduction

    @abstractmethod
    def function(self) -> Function:
        """Make the op."""

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss of a batch."""
        given = () if weights is None else (weights,)
        return apply(self.function(), outputs, targets, *given)


def one_hot_or_values(
    targets: Array,
    classes: tuple[str, ...] | None,
    output_shape: Shape,
    dtype: np.dtype[Any],
    name: str,
) -> Array:
    """Encode targets in the outputs' shape: values as they are, classes as 0 and 1.

    Two classes fit one output (0 or 1); K classes fit K outputs (one-hot).
    """
    rows = len(targets)
    if classes is None:
        values = targets.reshape(rows, 1) if targets.ndim == 1 else targets
        if values.shape[1:] != output_shape:
            raise ShapeError(
                f"{name} expects one output for each target number, {values.shape[1:]} "
                f"a row; the network gives {output_shape}. "
                f"Set units: {values.shape[-1]} in the last layer."
            )
        return np.ascontiguousarray(values, dtype)
    if output_shape == (1,) and len(classes) == 2:
        return targets.reshape(rows, 1).astype(dtype)
    if output_shape == (len(classes),):
        return np.asarray(targets[:, None] == xp.arange(len(classes)), dtype)
    fitting = f"units: {len(classes)}" + (" or 1" if len(classes) == 2 else "")
    raise ShapeError(
        f"{name} cannot compare {len(classes)} classes with outputs of shape "
        f"{output_shape}. Set {fitting} in the last layer."
    )


def zeros_to_ones(
    targets: Array,
    classes: tuple[str, ...] | None,
    output_shape: Shape,
    dtype: np.dtype[Any],
    name: str,
) -> Array:
    """Encode targets as ``one_hot_or_values`` does, and refuse any beyond 0 and 1."""
    values = one_hot_or_values(targets, classes, output_shape, dtype, name)
    if values.size and not 0 <= values.min() <= values.max() <= 1:
        raise ArgumentError(
            f"{name} expects targets between 0 and 1; the dataset's go from "
            f"{values.min():g} to {values.max():g}. Use a loss for numbers: mse."
        )
    return values
