"""Network: a list of layers over one flat array of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.autograd.flat import Flat
from nncli.autograd.tape import labelled, no_grad
from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape, check_memory, xp
from nncli.errors import ArgumentError, ShapeError
from nncli.initializers.base import Initializer
from nncli.layers.base import Layer
from nncli.ops.losses import Penalty
from nncli.streams import Streams


class LayerError(ShapeError):
    """A layer cannot be built behind the layers before it.

    Attributes:
        index: Which layer of the network.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class Network:
    """Layers in order, built for one input shape.

    Args:
        layers: The layers, from input to output.
        input_shape: Shape of one row of input.
        rng: Where first values and noise come from.
        dtype: The element type of parameters and activations.

    Attributes:
        shapes: Shape of a row before the first layer and after each one.
        flat: All parameters, and all their gradients, in one array each.
        state: Untrained arrays of all layers, by name.

    Raises:
        LayerError: A layer does not fit behind the one before it.
        NncliError: The parameters do not fit into the memory of this machine.
    """

    def __init__(
        self,
        layers: list[Layer],
        input_shape: Shape,
        rng: Streams,
        dtype: np.dtype[Any],
    ) -> None:
        self.layers = layers
        self.dtype = dtype
        self.labels = [
            f"layers[{i}] {layer.type_name}" for i, layer in enumerate(layers)
        ]
        self.shapes = [input_shape]
        for i, layer in enumerate(layers):
            try:
                shape = layer.connect(
                    self.shapes[-1], rng, dtype, _init_for(layers[i + 1 :])
                )
            except (ShapeError, ArgumentError) as error:
                raise LayerError(i, str(error)) from None
            self.shapes.append(shape)
        named = {
            f"layers.{i}.{name}": tensor
            for i, layer in enumerate(layers)
            for name, tensor in layer.parameters.items()
        }
        total = sum(tensor.size for tensor in named.values())
        check_memory((4, total), dtype, "parameters, gradients and optimizer")
        self.flat = Flat(named)
        self.state: dict[str, Array] = {
            f"layers.{i}.{name}": array
            for i, layer in enumerate(layers)
            for name, array in layer.state.items()
        }
        self.prices = [price for layer in layers for price in layer.prices()]
        self._try()

    @property
    def output(self) -> str:
        """What the last layer's values are; see Layer.output."""
        for layer in reversed(self.layers):
            if layer.output is not None:
                return layer.output
        return "real"

    def set_training(self, training: bool) -> None:
        """Let all layers act as in training, or as in use."""
        for layer in self.layers:
            layer.training = training

    def __call__(self, x: Tensor) -> Tensor:
        """Return the outputs for a batch of inputs."""
        for label, layer in zip(self.labels, self.layers, strict=True):
            with labelled(label):
                x = layer(x)
        return x

    def with_prices(self, loss: Tensor) -> Tensor:
        """Add the prices of all weights to a loss."""
        with labelled("penalty"):
            for price in self.prices:
                loss = apply(Penalty(price.l1, price.l2), loss, price.weight)
        return loss

    def _try(self) -> None:
        """Run two rows through, and compare the shapes with what was promised."""
        x = Tensor(xp.zeros((2, *self.shapes[0]), self.dtype))
        self.set_training(False)
        with no_grad():
            for i, layer in enumerate(self.layers):
                try:
                    x = layer(x)
                except ShapeError as error:
                    raise LayerError(i, str(error)) from None
                if x.shape != (2, *self.shapes[i + 1]):
                    raise LayerError(
                        i,
                        f"{layer.type_name} promised rows of shape "
                        f"{self.shapes[i + 1]} in build, but gave {x.shape[1:]}.",
                    )


def _init_for(following: list[Layer]) -> Initializer:
    """Return the initializer that suits the next layer with an opinion."""
    names = (layer.suits for layer in following if layer.suits is not None)
    cls = Initializer.registry.find(next(names, "glorot_uniform"))
    if cls is None:
        raise ArgumentError("suits: expected the name of an initializer.")
    initializer: Initializer = cls()
    return initializer
