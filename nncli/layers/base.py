"""Layer: the abstract class and the registry of what a network is made of."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from nncli.autograd.tensor import Tensor
from nncli.backend import Array, Shape
from nncli.initializers.base import Initializer
from nncli.registry import Component
from nncli.streams import Streams

OutputKind = Literal["real", "probability", "distribution"]


@dataclass(frozen=True)
class Price:
    """What a layer's weight adds to the loss: l1·Σ|w| + l2·Σw²."""

    weight: Tensor
    l1: float
    l2: float


class Layer(Component, family="layer"):
    """One step of a network, from (N, *input_shape) to (N, *output_shape).

    A layer is first made with its arguments, then built once its input's shape is
    known, then called as often as wanted. A subclass defines ``build`` (unless it has
    no parameters and keeps the shape) and ``__call__``.

    Class attributes:
        suits: Name of the initializer for a weight whose output goes into this layer;
            None where that is decided by the layer after it.
        output: What its values are: ``probability`` (each between 0 and 1),
            ``distribution`` (along the last axis they sum to 1) or ``real``; None
            where they are what its inputs are.
        min_rows: How many rows a training batch must have at least.

    Attributes:
        parameters: Trained tensors by name, filled by ``add_parameter``.
        state: Untrained arrays that belong in a checkpoint, filled by ``add_state``.
        training: Whether the layer acts as in training (dropout drops) or as in use.
        dtype: The element type of the run.
    """

    suits: ClassVar[str | None] = None
    output: ClassVar[OutputKind | None] = "real"
    min_rows: ClassVar[int] = 1

    parameters: dict[str, Tensor]
    state: dict[str, Array]
    training: bool = False
    dtype: np.dtype[Any]
    default_init: Initializer

    def connect(
        self,
        input_shape: Shape,
        rng: Streams,
        dtype: np.dtype[Any],
        default_init: Initializer,
    ) -> Shape:
        """Make parameters and state; called once by the network.

        Args:
            input_shape: Shape of one row of the input, without the batch axis.
            rng: Where first values and noise come from.
            dtype: Element type of parameters and state.
            default_init: Initializer for weights that the config leaves open.

        Returns:
            Shape of one row of the output.

        Raises:
            ShapeError: The layer cannot take such an input.
        """
        self.parameters = {}
        self.state = {}
        self.dtype = dtype
        self.default_init = default_init
        return self.build(input_shape, rng)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make parameters for an input shape and return the output shape."""
        return input_shape

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the output for a batch."""

    def prices(self) -> list[Price]:
        """Return what the layer's weights add to the loss."""
        return []

    def add_parameter(
        self, name: str, shape: Shape, init: Initializer, rng: Streams
    ) -> Tensor:
        """Make a trained tensor and return it."""
        values = init(shape, rng.initialization, self.dtype)
        self.parameters[name] = Tensor(values, requires_grad=True)
        return self.parameters[name]

    def add_state(self, name: str, values: Array) -> Array:
        """Make an untrained array that is kept in checkpoints and return it."""
        self.state[name] = values.astype(self.dtype)
        return self.state[name]
