"""Network: a list of layers over one flat array of parameters."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from nncli.autograd.flat import Flat
from nncli.autograd.tape import labelled, no_grad
from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Array, Shape, xp
from nncli.initializers.random import GlorotUniform
from nncli.layers.base import (
    Layer,
    LayerError,
    OutputKind,
    chain,
    kind_of,
    run,
    watch,
)
from nncli.ops.losses import Penalty
from nncli.streams import Streams


class Network:
    """Layers in order, built for one input shape.

    Args:
        layers: The layers, from input to output.
        input_shape: Shape of one row of input.
        rng: Where first values and noise come from.
        dtype: The element type of parameters and activations.

    Attributes:
        shapes: Shape of a row before the first layer and after each one.
        nested: All layers, those inside other layers too, by their places.
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
        for i, layer in enumerate(layers):
            layer.source = (i,)
        self.shapes = chain(layers, input_shape, rng, dtype, GlorotUniform())
        self.nested = dict(
            item for i, layer in enumerate(layers) for item in layer.walk(f"layers.{i}")
        )
        for path, layer in self.nested.items():
            layer.label = f"{bracketed(path)} {layer.title}"
        named = {
            f"{path}.{name}": tensor
            for path, layer in self.nested.items()
            for name, tensor in layer.parameters.items()
        }
        self.flat = Flat(named)
        self.state: dict[str, Array] = {
            f"{path}.{name}": array
            for path, layer in self.nested.items()
            for name, array in layer.state.items()
        }
        self.prices = [
            price for layer in self.nested.values() for price in layer.prices()
        ]
        self._try()

    @property
    def output(self) -> OutputKind:
        """What the last layer's values are; see Layer.output."""
        return kind_of(self.layers) or "real"

    @property
    def min_rows(self) -> int:
        """How many rows a training batch must have at least."""
        return max(layer.min_rows for layer in self.nested.values())

    def set_training(self, training: bool) -> None:
        """Let all layers act as in training, or as in use."""
        for layer in self.nested.values():
            layer.training = training

    def __call__(self, x: Tensor) -> Tensor:
        """Return the outputs for a batch of inputs."""
        return run(self.layers, x)

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
        with no_grad(), watch() as calls:
            run(self.layers, x)
        for call in calls:
            layer, promised = call.layer, call.layer.output_shape
            if call.y.shape != (2, *promised):
                raise LayerError(
                    layer.source,
                    layer.type_name,
                    f"{layer.type_name} promised rows of shape {promised} in build, "
                    f"but gave {call.y.shape[1:]}.",
                )


def bracketed(path: str) -> str:
    """Write ``layers.2.layers.0`` as ``layers[2].layers[0]``."""
    return re.sub(r"\.([0-9]+)", r"[\1]", path)
