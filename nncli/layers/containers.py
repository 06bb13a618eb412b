"""Layers made of layers: blocks, and other ways than one behind the other."""

from __future__ import annotations

from functools import reduce
from operator import add, mul
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape, xp
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.layers.base import InputSpec, Layer, LayerError, OutputKind
from nncli.layers.chain import (
    add_children,
    advance,
    copies,
    given,
    kind_of,
    opinion_of,
    run,
)
from nncli.layers.space import features_axis
from nncli.ops.shape import Concat

Layers = Annotated[list[Layer], MinLen(1)]
Repeats = Annotated[int, Ge(1), Le(1000)]


class Input(Layer, name="input"):
    """One of the network's inputs, by its name; what stands before it is not used.

    A branch of a parallel may begin with it, where rows have more than one input.

    Args:
        name: Which input.
    """

    name: str

    output = None
    takes = None

    @property
    def title(self) -> str:
        return f"{self.type_name} {self.name!r}"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Return the shape of the input of that name."""
        spec = self.context.inputs.get(self.name)
        if spec is None:
            names = ", ".join(self.context.inputs)
            raise ShapeError(
                f"expected the name of an input of the network ({names}), got "
                f"{self.name!r}."
            )
        self.output_below = spec.below
        return spec.shape

    def __call__(self, x: Tensor) -> Tensor:
        return given(self.name)


class Sequential(Layer, name="sequential"):
    """y = f_k(... f_2(f_1(x))): layers one behind the other, as one layer.

    A block that can be named, nested and repeated. The copies of a repeated block have
    parameters of their own.

    Args:
        layers: The layers, from input to output.
        repeat: How many copies of the block stand one behind the other.
        name: What the block is called in tables and messages.
    """

    layers: Layers
    repeat: Repeats = 1
    name: str = ""

    takes = None

    def __post_init__(self) -> None:
        if not self.name.isprintable():
            raise ArgumentError(f"expected a name on one line, got {self.name!r}.")

    @property
    def title(self) -> str:
        return f"{self.type_name} {self.name!r}" if self.name else self.type_name

    def count(self) -> int:
        return 1 + self.repeat * (super().count() - 1)

    def wants_init(self) -> str | None:
        return opinion_of(self.layers)

    def output_kind(self) -> OutputKind | None:
        return kind_of(self.layers)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        layers = copies(self.layers, self.repeat)
        spec = InputSpec(input_shape, self.below)
        made = add_children(self, "layers", layers, spec, self.repeat)
        self.output_below = made.below
        return made.shape

    def __call__(self, x: Tensor) -> Tensor:
        return run(list(self.children.values()), x)

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        return advance(list(self.children.values()), x, state)


class Residual(Layer, name="residual"):
    """y = x + f(x), where f is layers one behind the other that keep the shape.

    Source: He et al. 2015 ("Deep residual learning").

    Args:
        layers: The layers of f, from input to output.
    """

    layers: Layers

    def wants_init(self) -> str | None:
        return opinion_of(self.layers)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Build f, and check that its output can be added to its input."""
        spec = InputSpec(input_shape)
        shape = add_children(self, "layers", copies(self.layers), spec).shape
        if shape != input_shape:
            raise ShapeError(
                f"expected layers that keep the shape {input_shape}, to add their "
                f"output to their input, got {shape}. Let the last of them give "
                f"{input_shape}, or put the sum into a parallel with a second branch "
                "that changes the shape in the same way."
            )
        return shape

    def __call__(self, x: Tensor) -> Tensor:
        return x + run(list(self.children.values()), x)

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        y, after = advance(list(self.children.values()), x, state)
        return Tensor(x.data + y.data), after


class Scale(Layer, name="scale"):
    """y = x · f(x), where f is layers one behind the other that give the factors.

    f gives as much as x, (N, C, ...), or one factor a channel, (N, C), for all of
    space, or 1 along some axes. With global_average_pool, dense, relu, dense, sigmoid
    as f it is a squeeze-and-excite block. Channels are axis 1.

    Source: Hu et al. 2017 ("Squeeze-and-excitation networks").

    Args:
        layers: The layers of f, from input to output.
    """

    layers: Layers

    def wants_init(self) -> str | None:
        return opinion_of(self.layers)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Build f, and find how its factors are spread over the input."""
        spec = InputSpec(input_shape)
        shape = add_children(self, "layers", copies(self.layers), spec).shape
        self.spread = shape
        if shape == input_shape[:1]:
            self.spread = (*shape, *(1,) * (len(input_shape) - 1))
        sizes = zip(self.spread, input_shape, strict=False)
        fits = all(size in (1, whole) for size, whole in sizes)
        if len(self.spread) != len(input_shape) or not fits:
            raise ShapeError(
                f"expected layers that give one factor for each element {input_shape}, "
                f"or for each channel {input_shape[:1]}, got {shape}."
            )
        return input_shape

    def __call__(self, x: Tensor) -> Tensor:
        factor = run(list(self.children.values()), x)
        return x * factor.reshape(x.shape[0], *self.spread)

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        y, after = advance(list(self.children.values()), x, state)
        factor = y.data.reshape(*y.shape, *(1,) * (x.ndim - y.ndim))
        return Tensor(x.data * factor), after


class Parallel(Layer, name="parallel"):
    """y = f_1(x) + f_2(x) + ..., or their product, or their features side by side.

    Every branch has the same input, unless it begins with a layer of type input.
    ``sum`` and ``multiply`` want outputs of one shape; ``concat`` joins features: of
    images and volumes (N, C₁, H, W) and (N, C₂, H, W) to (N, C₁ + C₂, H, W), else
    (N, ..., F₁) and (N, ..., F₂) to (N, ..., F₁ + F₂).

    Args:
        branches: One layer each; a branch of several layers is a sequential.
        mode: How the outputs are combined.
    """

    branches: Layers
    mode: Literal["sum", "concat", "multiply"] = "sum"

    takes = None

    def wants_init(self) -> str | None:
        return opinion_of(self.branches)

    def output_kind(self) -> OutputKind | None:
        """Probabilities stay so side by side and in products, but not in sums."""
        kinds = {branch.output_kind() for branch in self.branches}
        if self.mode != "sum" and kinds <= {"probability", "distribution"}:
            return "probability"
        return "real"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Build every branch, and check that their outputs fit together."""
        spec = InputSpec(input_shape, self.below)
        made = [
            add_children(self, "branches", [branch], spec)
            for branch in copies(self.branches)
        ]
        self.output_below = None
        shapes = [part.shape for part in made]
        for i, part in enumerate(made):
            self._check_branch(i, part, shapes[0])
        if self.mode == "concat":
            if not shapes[0]:
                raise ShapeError("expected outputs with at least one axis, got ().")
            joined, axis = list(shapes[0]), _joined_axis(shapes[0])
            joined[axis] = sum(shape[axis] for shape in shapes)
            return tuple(joined)
        return shapes[0]

    def _check_branch(self, i: int, part: InputSpec, first: Shape) -> None:
        message = ""
        if part.below is not None:
            message = (
                f"expected branches that give numbers, got integers below {part.below}."
            )
        elif self._compared(part.shape) != self._compared(first):
            message = (
                f"{self._expected(first)}, as the first branch gives, got {part.shape}."
            )
        if message:
            place = (*self.source, "branches", i)
            raise LayerError(place, self.type_name, message)

    def _compared(self, shape: Shape) -> Shape:
        """Return what has to be equal: how many axes there are, where one is free."""
        if self.mode != "concat" or not shape:
            return shape
        axis = _joined_axis(shape)
        return (*shape[:axis], *shape[axis + 1 :], len(shape))

    def _expected(self, first: Shape) -> str:
        if self.mode == "concat":
            free = "first" if first and _joined_axis(first) == 0 else "last"
            return f"expected an output like {first} in all axes but the {free}"
        return f"expected an output of shape {first} to {self.mode}"

    def __call__(self, x: Tensor) -> Tensor:
        return self._joined([run([branch], x) for branch in self.children.values()])

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        branches = list(self.children.values())
        before = state or [None] * len(branches)
        pairs = [
            advance([branch], x, old)
            for branch, old in zip(branches, before, strict=True)
        ]
        outputs = [y.data for y, _ in pairs]
        if self.mode == "concat":
            y = xp.concatenate(outputs, axis=features_axis(outputs[0].ndim))
        else:
            y = reduce(xp.add if self.mode == "sum" else xp.multiply, outputs)
        return Tensor(y), [after for _, after in pairs]

    def _joined(self, outputs: list[Tensor]) -> Tensor:
        if self.mode == "concat":
            return apply(Concat(features_axis(outputs[0].ndim)), *outputs)
        return reduce(add if self.mode == "sum" else mul, outputs)


def _joined_axis(shape: Shape) -> int:
    """Return the axis of a row of some shape along which features are joined."""
    return features_axis(len(shape) + 1) - 1
