"""Layer: the abstract class and the registry of what a network is made of."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from nncli.autograd.tape import labelled
from nncli.autograd.tensor import Tensor
from nncli.backend import Array, Shape, check_memory
from nncli.errors import ArgumentError, Path, ShapeError
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


class LayerError(ShapeError):
    """A layer cannot be built behind the layers before it.

    Attributes:
        path: Which layer, from the list of all: ``(2,)`` or ``(2, "layers", 0)``.
        name: Its name in YAML.
    """

    def __init__(self, path: Path, name: str, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.name = name


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
        children: Layers inside this one by name, filled by ``add_children``.
        source: Where the config names it, from the list of all layers: ``(2,)`` or
            ``(2, "layers", 0)``. The copies of a repeated layer share one place.
        label: Where the layer stands, for messages: ``layers[2] dense``.
        training: Whether the layer acts as in training (dropout drops) or as in use.
        dtype: The element type of the run.
        output_shape: What ``build`` returned.
    """

    suits: ClassVar[str | None] = None
    output: ClassVar[OutputKind | None] = "real"
    min_rows: ClassVar[int] = 1

    parameters: dict[str, Tensor]
    state: dict[str, Array]
    children: dict[str, Layer]
    source: Path = ()
    label: str = ""
    training: bool = False
    dtype: np.dtype[Any]
    output_shape: Shape
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
        self.children = {}
        self.dtype = dtype
        self.default_init = default_init
        self.output_shape = self.build(input_shape, rng)
        return self.output_shape

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make parameters for an input shape and return the output shape."""
        return input_shape

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Return the output for a batch."""

    def prices(self) -> list[Price]:
        """Return what the layer's weights add to the loss."""
        return []

    @property
    def title(self) -> str:
        """What the layer is called in messages and tables."""
        return self.type_name

    def wants_init(self) -> str | None:
        """Return the initializer that suits a weight in front; see ``suits``."""
        return self.suits

    def output_kind(self) -> OutputKind | None:
        """Return what the values are; see ``output``."""
        return self.output

    def walk(self, path: str) -> Iterator[tuple[str, Layer]]:
        """Yield this layer and all layers inside it, with their places.

        Args:
            path: Where this layer stands, for example ``layers.2``.
        """
        yield path, self
        for name, child in self.children.items():
            yield from child.walk(f"{path}.{name}")

    def add_children(
        self,
        name: str,
        layers: Sequence[Layer],
        input_shape: Shape,
        rng: Streams,
        repeat: int = 1,
    ) -> Shape:
        """Connect layers one behind the other inside this one.

        Several calls with one name add up: each branch of a fork is a call.

        Args:
            name: The constructor argument that they came from.
            layers: Layers of this layer's own: ``copies`` of the argument.
            input_shape: Shape of a row before the first of them.
            rng: Where first values and noise come from.
            repeat: How many copies of the argument ``layers`` holds, one behind the
                other. More than one are told apart as ``repeat.0``, ``repeat.1``...

        Returns:
            Shape of a row after the last of them.
        """
        length = len(layers) // repeat
        earlier = sum(key.startswith(f"{name}.") for key in self.children)
        for i, layer in enumerate(layers):
            index = earlier + i % length
            layer.source = (*self.source, name, index)
            prefix = f"repeat.{i // length}." if repeat > 1 else ""
            self.children[f"{prefix}{name}.{index}"] = layer
        return chain(layers, input_shape, rng, self.dtype, self.default_init)[-1]

    def add_parameter(
        self, name: str, shape: Shape, init: Initializer, rng: Streams
    ) -> Tensor:
        """Make a trained tensor and return it."""
        rng.parameters += math.prod(shape)
        # Values, gradients and two slots of an optimizer.
        check_memory((4, rng.parameters), self.dtype, "all parameters up to here")
        values = init(shape, rng.initialization, self.dtype)
        self.parameters[name] = Tensor(values, requires_grad=True)
        return self.parameters[name]

    def add_state(self, name: str, values: Array) -> Array:
        """Make an untrained array that is kept in checkpoints and return it."""
        self.state[name] = values.astype(self.dtype)
        return self.state[name]


def copies(layers: Sequence[Layer], repeat: int = 1) -> list[Layer]:
    """Return new layers with the same arguments, not built yet.

    A layer that was given to a constructor may also be given to others, and to other
    networks: who builds it builds a copy.

    Args:
        layers: What to copy.
        repeat: How many times, one run of copies behind the other.
    """
    return [_unbuilt(layer) for _ in range(repeat) for layer in layers]


def _unbuilt(value: Any) -> Any:
    """Make a layer, and all layers among its arguments, again."""
    if isinstance(value, Layer):
        arguments = {key: _unbuilt(part) for key, part in value.arguments.items()}
        return type(value)(**arguments)
    if isinstance(value, list):
        return [_unbuilt(part) for part in value]
    return value


def chain(
    layers: Sequence[Layer],
    input_shape: Shape,
    rng: Streams,
    dtype: np.dtype[Any],
    default_init: Initializer,
) -> list[Shape]:
    """Connect layers, each behind the one before it.

    Args:
        layers: What to connect, in order; each knows its ``source``.
        input_shape: Shape of a row before the first layer.
        rng: Where first values and noise come from.
        dtype: Element type of parameters and state.
        default_init: Initializer for what stands before a layer without an opinion.

    Returns:
        Shape of a row before the first layer and after each one.

    Raises:
        LayerError: A layer does not fit behind the one before it.
    """
    shapes = [input_shape]
    for i, layer in enumerate(layers):
        init = _init_for(layers[i + 1 :], default_init)
        with blaming(layer):
            shapes.append(layer.connect(shapes[-1], rng, dtype, init))
    return shapes


@contextmanager
def blaming(layer: Layer) -> Iterator[None]:
    """Give errors about shapes the place of the innermost layer that they are about."""
    try:
        yield
    except LayerError:
        raise
    except (ShapeError, ArgumentError) as error:
        raise LayerError(layer.source, layer.type_name, str(error)) from None


@dataclass(frozen=True)
class Call:
    """One call of a layer: its input and its output."""

    layer: Layer
    x: Tensor
    y: Tensor


def run(layers: Sequence[Layer], x: Tensor) -> Tensor:
    """Call layers one behind the other; their steps carry their labels.

    Raises:
        LayerError: A layer cannot take what it is given.
    """
    for layer in layers:
        with labelled(layer.label), blaming(layer):
            y = layer(x)
        if _watching:
            _watching[-1].append(Call(layer, x, y))
        x = y
    return x


_watching: list[list[Call]] = []


@contextmanager
def watch() -> Iterator[list[Call]]:
    """Collect every call that ``run`` makes in the block, in the order they ended.

    The layers inside a layer so come before it.
    """
    calls: list[Call] = []
    _watching.append(calls)
    try:
        yield calls
    finally:
        _watching.pop()


def kind_of(layers: Sequence[Layer]) -> OutputKind | None:
    """Return what the values after the last layer are, None if none decides it."""
    for layer in reversed(layers):
        kind = layer.output_kind()
        if kind is not None:
            return kind
    return None


def opinion_of(layers: Sequence[Layer]) -> str | None:
    """Return the initializer that suits the first layer with an opinion."""
    opinions = (layer.wants_init() for layer in layers)
    return next((name for name in opinions if name is not None), None)


def _init_for(following: Sequence[Layer], default: Initializer) -> Initializer:
    """Return the initializer that suits the next layer with an opinion."""
    name = opinion_of(following)
    if name is None:
        return default
    cls = Initializer.registry.find(name)
    if cls is None:
        raise ArgumentError(Initializer.registry.unknown(name))
    initializer: Initializer = cls()
    return initializer
