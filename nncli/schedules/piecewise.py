"""Piecewise: any stairs."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated

from annotated_types import MinLen

from nncli.core.errors import ArgumentError
from nncli.core.signature import NonNegative, Positive
from nncli.schedules.base import Clock, Schedule, elapsed


class Piecewise(Schedule, name="piecewise"):
    """lr·factors[i], where i of the boundaries are at most n, in epochs or steps.

    By epochs PyTorch's ``MultiStepLR`` (factors 1, γ, γ², ...) and ``ConstantLR``. By
    steps Keras's ``PiecewiseConstantDecay``, which changes one step later: there a
    boundary still belongs to the piece before it.

    Args:
        boundaries: After how many epochs or steps the next factor counts, ascending.
        factors: The share of lr in each piece; one more than there are boundaries.
        by: What n counts.
    """

    boundaries: Annotated[list[Positive], MinLen(1)]
    factors: Annotated[list[NonNegative], MinLen(2)]
    by: Clock = "epoch"

    def __post_init__(self) -> None:
        if any(left >= right for left, right in pairwise(self.boundaries)):
            raise ArgumentError(
                f"expected ascending boundaries, got {self.boundaries}."
            )
        if len(self.factors) != len(self.boundaries) + 1:
            raise ArgumentError(
                f"expected {len(self.boundaries) + 1} factors, one more than "
                f"boundaries, got {len(self.factors)}."
            )

    def rate(self, lr: float, step: int, epoch: float, total_steps: int) -> float:
        n = elapsed(self.by, step, epoch)
        return lr * self.factors[bisect_right(self.boundaries, n)]
