"""Loss: the abstract class and the registry of what training makes small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, xp
from nncli.core.errors import ArgumentError, NncliError, ShapeError
from nncli.core.registry import Component
from nncli.ops.losses import Reduction

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


@dataclass(frozen=True)
class Targets:
    """A dataset's targets, and the outputs that they shall be compared with.

    Attributes:
        values: (N,) or (N, T) class indices, or (N, ...) numbers.
        classes: The classes' names; None where targets are numbers.
        output_shape: Shape of one row of the network's output.
        dtype: The element type of the run.
    """

    values: Array
    classes: tuple[str, ...] | None
    output_shape: Shape
    dtype: np.dtype[Any]


class Loss(Component, family="loss", kw_only=True):
    """One number that says how far outputs are from targets.

    A member names the ``op`` that it is, of (outputs, targets) or (outputs, targets,
    weights), or defines ``function``, or ``__call__``; and ``encode``.

    Class attributes:
        op: The Function that the loss is, if it is one: made with its arguments.
        takes: What the last layer must give.
        fusion: (layer, loss): as the last layer of a config, ``layer`` is left to this
            loss, and both are computed by ``loss``, which is safer in numbers; it has
            the same arguments.
        positive: Outputs must be above 0.
        aligned: Each prediction stands for one target, so that metrics compare them.
        distance: It measures how far outputs are from numbers of any size, so that
            both may be scaled.

    Args:
        reduction: mean divides by what the formula divides by; sum does not.
    """

    reduction: Reduction = "mean"

    op: ClassVar[type[Function] | None] = None
    takes: ClassVar[Takes] = "anything"
    fusion: ClassVar[tuple[str, str] | None] = None
    positive: ClassVar[bool] = False
    distance: ClassVar[bool] = False
    aligned: ClassVar[bool] = True

    def function(self) -> Function:
        """Make the op of one call."""
        if self.op is None:
            raise NncliError(f"{self.type_name}: expected a __call__ or an op.")
        function: Function = self.op(**self.arguments)
        return function

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss of a batch as a scalar.

        Args:
            outputs: (N, ...) what the network gives.
            targets: (N, ...) what ``encode`` made of the targets.
            weights: (N,) factor of each row's loss; None for 1. The mean is still
                over N, as in Keras.

        Raises:
            NncliError: Outputs or targets have lengths, which the loss cannot heed.
        """
        if lengths_of(outputs, targets) is not None:
            raise NncliError(
                f"{self.type_name}: expected rows of one length, got lengths of "
                "sequences, of which this loss would count the padding. Use a loss of "
                "classes, such as softmax_cross_entropy."
            )
        given = () if weights is None else (weights,)
        return apply(self.function(), outputs, targets, *given)

    def encode(self, targets: Targets) -> Array:
        """Write targets in the form that the loss compares with.

        Here: numbers as they are, classes as 0 and 1; see ``one_hot_or_values``.

        Raises:
            ShapeError: Such targets do not fit outputs of such a shape.
            ArgumentError: Such targets do not fit the loss, whatever the shape.
        """
        return one_hot_or_values(targets, self.type_name)

    def fitted(self, targets: Targets) -> Self:
        """Return the loss with what it takes from the training rows; here, itself.

        Args:
            targets: Theirs.

        Raises:
            ArgumentError: It cannot be taken from these rows.
        """
        return self

    def names_classes(self, targets: Array) -> bool:
        """Say whether targets that a program hands over are classes, not numbers."""
        return self.takes != "anything" and targets.ndim == 1

    def amount(self, targets: Array, lengths: Array | None = None) -> float:
        """Return what the mean over a batch divides by, up to a constant: the rows.

        Means of batches are put together in this proportion.

        Args:
            targets: (N, ...) what ``encode`` made of the targets.
            lengths: (N,) how many steps of each row count; None for all.
        """
        return len(targets)

    def predictions(self, outputs: Tensor) -> Tensor:
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


def lengths_of(outputs: Tensor, targets: Tensor) -> Array | None:
    """Return the targets' lengths, or else the outputs'."""
    return outputs.lengths if targets.lengths is None else targets.lengths


def one_hot_or_values(targets: Targets, name: str) -> Array:
    """Encode targets in the outputs' shape: values as they are, classes as 0 and 1.

    Two classes fit one output (0 or 1); K classes fit K outputs (one-hot).
    """
    values, classes, shape = targets.values, targets.classes, targets.output_shape
    if classes is None:
        if values.ndim == 1:
            values = values[:, None]
        if values.shape[1:] == (1,) and _indices(values, shape):
            raise ArgumentError(
                f"{name} expects {shape[0]} numbers a row, as the network gives; got "
                "what looks like class indices. Use a loss of classes, such as "
                f"softmax_cross_entropy, or give one-hot rows: np.eye({shape[0]})[y]."
            )
        if values.shape[1:] != shape:
            raise ShapeError(
                f"{name} expects one output for each target number, {values.shape[1:]} "
                f"a row; the network gives {shape}. "
                f"Set units: {values.shape[-1]} in the last layer."
            )
        return np.ascontiguousarray(values, targets.dtype)
    count = len(classes)
    if shape == (*values.shape[1:], 1) and count == 2:
        return values[..., None].astype(targets.dtype)
    if shape == (*values.shape[1:], count):
        return np.asarray(values[..., None] == xp.arange(count), targets.dtype)
    fitting = f"units: {count}" + (" or 1" if count == 2 else "")
    raise ShapeError(
        f"{name} cannot compare {count} classes with outputs of shape {shape}. "
        f"Set {fitting} in the last layer."
    )


def _indices(values: Array, shape: Shape) -> bool:
    """Whether numbers, one a row, could be indices of as many classes as outputs."""
    if len(shape) != 1 or shape[0] < 2:
        return False
    whole = bool((values == np.floor(values)).all())
    return whole and values.min() >= 0 and values.max() == shape[0] - 1


def zeros_to_ones(targets: Targets, name: str) -> Array:
    """Encode targets as ``one_hot_or_values`` does, and refuse any beyond 0 and 1."""
    values = one_hot_or_values(targets, name)
    if values.size and not 0 <= values.min() <= values.max() <= 1:
        raise ArgumentError(
            f"{name} expects targets between 0 and 1; the dataset's go from "
            f"{values.min():g} to {values.max():g}. Use a loss for numbers: mse."
        )
    return values
