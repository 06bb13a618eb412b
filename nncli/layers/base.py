"""Layer: the abstract class and the registry of what a network is made of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, cast

import numpy as np

from nncli.autograd.function import Function
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, check_memory
from nncli.core.errors import NncliError, Path, ShapeError
from nncli.core.randomness import Streams
from nncli.core.registry import Component
from nncli.core.text import nearest
from nncli.initializers.base import Initializer
from nncli.layers.parameters import Penalty, Unbuilt
from nncli.layers.stepwise import advance_alone

OutputKind = Literal["real", "probability", "distribution"]


@dataclass(frozen=True)
class InputSpec:
    """What rows of one input of a network, or of one layer, hold.

    Attributes:
        shape: Shape of a row, without the batch axis. A size that is a ``Longest`` is
            the largest length of rows that may be shorter.
        below: The rows hold integers from 0 to below − 1 (tokens, categories); None
            where they hold numbers.
    """

    shape: Shape
    below: int | None = None


@dataclass
class BuildContext:
    """What all layers of a network share while it is built.

    Attributes:
        rng: Where first values and noise come from.
        dtype: Element type of parameters and state.
        inputs: What the network's inputs hold, by name; the first is the default.
        rows: How many rows a training batch has at most; 0 where nobody knows.
        files: Whether first values are read from the files that layers name.
        weights: Weights that further layers may use, by name.
        parameters: How many elements all parameters have so far, so that too many
            are refused before they are all there.
    """

    rng: Streams
    dtype: np.dtype[Any]
    inputs: dict[str, InputSpec] = field(default_factory=dict)
    rows: int = 0
    files: bool = True
    weights: dict[str, Tensor] = field(default_factory=dict)
    parameters: int = 0


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


class Layer(Component, family="layer", kw_only=True):
    """One step of a network, from (N, *input_shape) to (N, *output_shape).

    What a user makes is a description; a network is made of live copies, which are
    connected once their input's shape is known, then called as often as wanted. A
    subclass defines ``build`` (unless it has no parameters and keeps the shape), and
    ``__call__`` or ``op``.

    Class attributes:
        op: The Function that the layer is, if it is one: made with the layer's
            arguments and applied to the input, then to the parameters.
        suits: Name of the initializer for a weight whose output goes into this layer;
            None where that is decided by the layer after it.
        output: What its values are: ``probability`` (each between 0 and 1),
            ``distribution`` (along the last axis they sum to 1) or ``real``; None
            where they are what its inputs are.
        takes: ``numbers``, or ``integers`` (tokens, categories), which are never cast
            to numbers; None where it takes both and hands them on.
        monotone: y = f(x), element by element, never falls, and where it is flat its
            derivative is 0. Max pooling is then computed before it, which leaves it
            fewer elements and changes no value and no gradient.
        picks_maximum: Every element of its output is the largest of some of its input.
        min_rows: Rows that a training batch has at least; ``build`` may change it.
        examples: Inputs that gradcheck and the contract test try it with.
        letters: What its formulas call its parameters, where that is not their name.
        behind: Layers that it needs before it, which are put there in those tests.

    Args:
        trainable: Whether its parameters are trained, and those of layers inside it.
            What is frozen gets no gradient, update, weight decay or penalty; as in
            PyTorch, running averages (batch_norm) and dropout go on as in training.

    A live layer has these attributes:
        frozen: Its parameters are not trained; by ``trainable``, its own or that of a
            layer around it.
        parameters: Trained tensors by name, filled by ``add_parameter``.
        state: Untrained arrays that belong in a checkpoint, filled by ``add_state``.
        children: Layers inside this one by name, filled by ``add_children``.
        source: Where the config names it, from the list of all layers: ``(2,)`` or
            ``(2, "layers", 0)``. The copies of a repeated layer share one place.
        max_rows: How many rows a training batch may have; None for any number.
        label: Where the layer stands, for messages: ``layers[2] dense``.
        training: Whether the layer acts as in training (dropout drops) or as in use.
        dtype: The element type of the run.
        below: Where its input holds integers, what they are below; else None.
        input_shape: Shape of a row of its input.
        output_shape: What ``build`` returned.
        output_below: As ``below``, of its output.
    """

    trainable: bool = True

    quiet = ("trainable",)
    op: ClassVar[type[Function] | None] = None
    suits: ClassVar[str | None] = None
    output: ClassVar[OutputKind | None] = "real"
    takes: ClassVar[Literal["numbers", "integers"] | None] = "numbers"
    monotone: ClassVar[bool] = False
    picks_maximum: ClassVar[bool] = False
    min_rows = 1
    examples: ClassVar[tuple[Shape | InputSpec, ...]] = ((3,), (1,), (4, 2), (2, 3, 3))
    letters: ClassVar[Mapping[str, str]] = MappingProxyType({})
    behind: ClassVar[tuple[Layer, ...]] = ()

    parameters = cast(dict[str, Tensor], Unbuilt())
    source = cast(Path, ())
    label = ""
    training = False
    frozen = False
    max_rows = cast("int | None", None)
    _connected = False

    def __setattr__(self, name: str, value: Any) -> None:
        if self._connected and not hasattr(self, name):
            names = [key for key in dir(self) if not key.startswith("_")]
            raise NncliError(
                f"{self.label or self.type_name}: expected an attribute that the layer "
                f"has, got {name!r}. {nearest(name, names)}"
            )
        super().__setattr__(name, value)

    def count(self) -> int:
        """Return how many layers it makes: itself and those inside, each copy."""
        inside = [
            part
            for value in self.arguments.values()
            for part in (value if isinstance(value, list) else [value])
            if isinstance(part, Layer)
        ]
        return 1 + sum(layer.count() for layer in inside)

    def connect(
        self, spec: InputSpec, context: BuildContext, default_init: Initializer
    ) -> InputSpec:
        """Make parameters and state; called once by the network, on a live copy.

        Args:
            spec: What rows of the input hold.
            context: What all layers of the network share.
            default_init: Initializer for weights that the config leaves open.

        Returns:
            What rows of the output hold.

        Raises:
            ShapeError: The layer cannot take such an input.
        """
        if self.takes == "integers" and spec.below is None:
            raise ShapeError(
                "expected integers (tokens or categories) as inputs, got numbers."
            )
        if self.takes == "numbers" and spec.below is not None:
            raise ShapeError(
                f"expected numbers as inputs, got integers below {spec.below} (tokens "
                "or categories). Put a layer in front that takes integers."
            )
        self.parameters = {}
        self.state: dict[str, Array] = {}
        self.children: dict[str, Layer] = {}
        self.context = context
        self.dtype = context.dtype
        self.default_init = default_init
        self.below = spec.below
        self.input_shape = spec.shape
        self.output_below = spec.below if self.takes is None else None
        self.frozen = self.frozen or not self.trainable
        self.output_shape = self.build(spec.shape, context.rng)
        self._connected = True
        return InputSpec(self.output_shape, self.output_below)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Make parameters for an input shape and return the output shape."""
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        """Return the output for a batch."""
        if self.op is None:
            raise NncliError(f"{self.type_name}: expected a __call__ or an op.")
        return apply(self.op(**self.op_arguments), x, *self.parameters.values())

    def begin_epoch(self) -> None:
        """Forget what goes on from batch to batch; called before an epoch's first."""

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the outputs at the next steps of sequences, and a new state.

        Steps that come a few at a time, one or more, give what a call in use gives for
        all of them. By default a layer acts on each step alone, and there is nothing to
        remember but how it is done fast. Of what is behind the end of sequences, rows
        are (N, ...) as in a call. Called without gradients, NumPy's warnings off.

        Args:
            x: (N, T, ...) the next T steps.
            state: What the call for the steps before returned; None at first. What it
                stands for is never changed: it can be gone on from twice. It belongs
                to the parameters as they are, and to one thread.

        Raises:
            ShapeError: The layer mixes steps, and cannot take them one by one.
        """
        return advance_alone(self, x, state)

    @property
    def op_arguments(self) -> dict[str, Any]:
        """The arguments without those that every layer has: what ``op`` is made of."""
        given = self.arguments
        return {name: given[name] for name in given if name not in self.quiet}

    def penalties(self) -> list[Penalty]:
        """Return what the layer's weights add to the loss."""
        return []

    def settled(self) -> dict[str, Any]:
        """Return arguments that ``build`` settled, for the resolved config."""
        return {}

    def remark(self) -> str:
        """Return what the summary of a network is to say of it, or nothing."""
        return ""

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

    def add_parameter(
        self, name: str, shape: Shape, init: Initializer, rng: Streams
    ) -> Tensor:
        """Make a tensor that is trained, unless the layer is frozen, and return it."""
        self.context.parameters += math.prod(shape)
        # Values, gradients and two slots of an optimizer.
        count = (4, self.context.parameters)
        check_memory(count, self.dtype, "all parameters up to here")
        values = init(shape, rng.initialization, self.dtype)
        self.parameters[name] = Tensor(values, requires_grad=not self.frozen)
        return self.parameters[name]

    def add_state(self, name: str, values: Array) -> Array:
        """Make an untrained array that is kept in checkpoints and return it."""
        self.state[name] = values.astype(self.dtype)
        return self.state[name]
