"""Cell: what a recurrent op says of one step, and of its derivative."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from nncli.autograd.function import Function
from nncli.core.arrays import Array, xp


class Cell(Function):
    """Base of recurrent ops: the part of each that is its own; see ``Recurrent``.

    Class attributes:
        order: Which of PyTorch's blocks each block of gates is.
        recurrent_order: Which of PyTorch's blocks each block of U is, here.
        scales: What each block of gates is a multiple of W x + b + U h by, before its
            activation: −1 where σ(a) = 1 / (1 + exp(−a)) is made of it.
        slopes: How many blocks of derivatives there are; the first are those of the
            gates, the last those of U h.
        memories: How many states there are.
        extras: How many parameters there are besides.
    """

    order: ClassVar[tuple[int, ...]]
    recurrent_order: ClassVar[tuple[int, ...]]
    scales: ClassVar[tuple[float, ...]]
    slopes: ClassVar[int]
    memories: ClassVar[int] = 1
    extras: ClassVar[int] = 0

    def make_room(self) -> None:
        """Make what the cell keeps besides."""

    def take_extras(self, *extras: Array) -> None:
        """Keep the parameters that the cell has besides."""

    def differentiate_extras(
        self, rows: Array, targets: Sequence[Array | None]
    ) -> None:
        """Write the gradients of the parameters that the cell has besides."""

    @abstractmethod
    def views(self, k: int) -> tuple[Any, ...]:
        """Return the arguments of ``step`` for the k-th step."""

    @abstractmethod
    def step(self, *views: Any) -> None:
        """Compute a step's states from its gates, of which W x + b is there.

        Each block is multiplied by its one of ``scales`` already.
        """

    @abstractmethod
    def advance(self, x: Array, *arrays: Any) -> tuple[Array, ...]:
        """Return the states after one step, as new arrays.

        For sequences that are made step by step, where laying weights out for many
        steps does not pay.

        Args:
            x: (N, F) the step.
            arrays: The parameters, then the states before it.
        """

    @abstractmethod
    def write_factors(self, steps: slice, factors: Array) -> None:
        """Write what the derivatives of gates are multiples of, for several steps.

        Args:
            steps: Which steps.
            factors: (slopes + 1, steps, N, H) where it is written.
        """

    @abstractmethod
    def step_back(
        self,
        k: int,
        factors: Array,
        dh: Array,
        direct: Array,
        block: Array,
        *cells: Array,
    ) -> bool:
        """Write the derivatives of a step's gates.

        Args:
            k: Which step.
            factors: (slopes + 1, N, H) as ``write_factors`` wrote them; they may be
                overwritten.
            dh: (N, H) that of the step's h.
            direct: (N, H) for what reaches h before the step past U, if any does.
            block: (slopes, N, H) where derivatives are written.
            cells: (N, H) that of each further state behind the step, to be replaced
                by that before it.

        Returns:
            Whether ``direct`` is to be added to what comes through U.
        """

    @staticmethod
    def sigmoid_of_negated(a: Array) -> None:
        """Write σ(a) over −a."""
        xp.exp(a, out=a)
        xp.add(a, 1, out=a)
        xp.reciprocal(a, out=a)


def sigmoid(a: Array) -> Array:
    """Return σ(a) = ½ + ½·tanh(a/2), which overflows nowhere."""
    return xp.tanh(a / 2) / 2 + 0.5
