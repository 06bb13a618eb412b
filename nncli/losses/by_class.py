"""What losses of classes share: rows that count by their class."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor
from nncli.core.arrays import Array
from nncli.core.balance import balanced_weights
from nncli.core.errors import ArgumentError, NncliError
from nncli.core.signature import NonNegative
from nncli.losses.base import Loss, Targets

Weights = list[NonNegative] | Literal["balanced"] | None


class ByClass(Loss, kw_only=True):
    """Base of losses whose rows may count by their class.

    The loss of row i is multiplied by the weight of its class, and the mean divides by
    what it divides by without weights, as where ``fit`` is given a ``class_weight``.
    Of targets between 0 and 1 the factor is Σ_k w_k·t_ik, or with a single output
    w_0·(1 − t_i) + w_1·t_i.

    Args:
        class_weights: One factor a class, by which the loss of its rows is multiplied.
            ``balanced`` takes n / (K·n_k), where n_k of the n training rows are of
            class k, when the rows are known: checkpoints hold the numbers.

    Class attributes:
        weighs_inside: The op takes the weights itself.
    """

    class_weights: Weights = None

    weighs_inside: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.class_weights is not None and not any(self.class_weights):
            raise ArgumentError(
                f"{self.type_name}.class_weights: expected at least one above 0."
            )

    @property
    def ignored(self) -> int | None:
        """The class whose rows count nothing, if there is one."""
        return None

    def fitted(self, targets: Targets) -> Self:
        """Put numbers in the place of ``balanced``.

        Raises:
            ArgumentError: A class has no training row, or targets are no classes.
        """
        if self.class_weights != "balanced":
            return self
        names = targets.classes
        if names is None:
            raise ArgumentError(
                f"{self.type_name}.class_weights: balanced expects classes as targets, "
                "got numbers. Give one factor an output."
            )
        index = targets.values.reshape(-1).astype(np.int64)
        counts = np.bincount(index, minlength=len(names))
        for k in (k for k in range(len(names)) if k != self.ignored):
            if not counts[k]:
                raise ArgumentError(
                    f"{self.type_name}.class_weights: balanced expects training rows "
                    f"of every class, got none of {names[k]}. Give numbers."
                )
        if self.ignored is not None:
            counts[self.ignored] = 0
        return self.changed(class_weights=balanced_weights(counts).tolist())

    def check_classes(self, count: int) -> None:
        """Refuse arguments that do not fit so many classes."""
        weights = self.class_weights
        if isinstance(weights, list) and len(weights) != count:
            raise ArgumentError(
                f"{self.type_name}.class_weights: expected one number for each of the "
                f"{count} classes, got {len(weights)}."
            )

    def check_rows(self, encoded: Array) -> None:
        """Refuse weights where encoded targets are not one class or vector a row."""
        if self.class_weights is None:
            return
        axes = 1 if encoded.dtype.kind in "iu" else 2
        if encoded.ndim != axes:
            raise ArgumentError(
                f"{self.type_name}.class_weights: expected targets of one class a row, "
                f"got {encoded.shape[1:]} a row."
            )
        if axes == 2:
            self.check_classes(max(2, encoded.shape[-1]))

    def function(self) -> Function:
        """Make the op of one call."""
        if self.weighs_inside or self.op is None:
            return super().function()
        arguments = self.arguments
        del arguments["class_weights"]
        function: Function = self.op(**arguments)
        return function

    def check_fitted(self) -> None:
        """Refuse weights that are still to be computed.

        Raises:
            NncliError: They are ``balanced``.
        """
        if self.class_weights == "balanced":
            raise NncliError(
                f"{self.type_name}.class_weights: expected numbers, got 'balanced', "
                "which only fit can compute, from all training rows."
            )

    def __call__(
        self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        self.check_fitted()
        if self.class_weights is not None and not self.weighs_inside:
            factors = _factors(targets, np.asarray(self.class_weights, outputs.dtype))
            weights = factors if weights is None else factors * weights
        return super().__call__(outputs, targets, weights)


def _factors(targets: Tensor, given: Array) -> Tensor:
    """Return the (N,) weights of the rows' classes."""
    factors: Tensor
    if targets.dtype.kind in "iu":
        factors = Tensor(given)[targets]
    elif targets.shape[-1] == 1 and len(given) == 2:
        factors = (targets * (given[1] - given[0]) + given[0]).reshape((-1,))
    else:
        factors = targets @ Tensor(given)
    return factors
