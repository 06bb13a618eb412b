"""Layers made of layers: blocks, and other ways than one behind the other."""

from __future__ import annotations

from functools import reduce
from operator import add, mul
from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen

from nncli.autograd.tensor import Tensor, apply
from nncli.backend import Shape
from nncli.errors import ArgumentError, ShapeError
from nncli.layers.base import (
    Layer,
    LayerError,
    OutputKind,
    copies,
    kind_of,
    opinion_of,
    run,
)
from nncli.ops.shape import Concat
from nncli.streams import Streams

Layers = Annotated[list[Layer], MinLen(1)]
Repeats = Annotated[int, Ge(1), Le(1000)]


class Sequential(Layer, name="sequential"):
    """y = f_k(... f_2(f_1(x))): layers one behind the other, as one layer.

    A block that can be named, nested and repeated. The copies of a repeated block have
    parameters of their own.

    Args:
        layers: The layers, from input to output.
        repeat: How many copies of the block stand one behind the other.
        name: What the block is called in tables and messages.
    """

    def __init__(self, layers: Layers, repeat: Repeats = 1, name: str = "") -> None:
        if not name.isprintable():
            raise ArgumentError(f"expected a name on one line, got {name!r}.")
        self.layers = layers
        self.repeat = repeat
        self.name = name

    @property
    def title(self) -> str:
        """The block's name, behind its type."""
        return f"{self.type_name} {self.name!r}" if self.name else self.type_name

    def wants_init(self) -> str | None:
        """Return what suits its first layer."""
        return opinion_of(self.layers)

    def output_kind(self) -> OutputKind | None:
        """Return what its last layer's values are."""
        return kind_of(self.layers)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Build every copy of every layer."""
        layers = copies(self.layers, self.repeat)
        return self.add_children("layers", layers, input_shape, rng, self.repeat)

    def __call__(self, x: Tensor) -> Tensor:
        """Run the layers in order."""
        return run(list(self.children.values()), x)


class Residual(Layer, name="residual"):
    """y = x + f(x), where f is layers one behind the other that keep the shape.

    Source: He et al. 2015 ("Deep residual learning").

    Args:
        layers: The layers of f, from input to output.
    """

    def __init__(self, layers: Layers) -> None:
        self.layers = layers

    def wants_init(self) -> str | None:
        """Return what suits the first layer of f."""
        return opinion_of(self.layers)

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Build f, and check that its output can be added to its input."""
        layers = copies(self.layers)
        shape = self.add_children("layers", layers, input_shape, rng)
        if shape != input_shape:
            raise ShapeError(
                f"expected layers that keep the shape {input_shape}, to add their "
                f"output to their input, got {shape}. Let the last of them give "
                f"{input_shape}, or put the sum into a parallel with a second branch "
                "that changes the shape in the same way."
            )
        return shape

    def __call__(self, x: Tensor) -> Tensor:
        """Return x + f(x)."""
        return x + run(list(self.children.values()), x)


class Parallel(Layer, name="parallel"):
    """y = f_1(x) + f_2(x) + ..., or their product, or their features side by side.

    Every branch has the same input. ``sum`` and ``multiply`` want outputs of one shape;
    ``concat`` joins (N, ..., F₁) and (N, ..., F₂) to (N, ..., F₁ + F₂).

    Args:
        branches: One layer each; a branch of several layers is a sequential.
        mode: How the outputs are combined.
    """

    def __init__(
        self, branches: Layers, mode: Literal["sum", "concat", "multiply"] = "sum"
    ) -> None:
        self.branches = branches
        self.mode = mode

    def wants_init(self) -> str | None:
        """Return what suits the first branch with an opinion."""
        return opinion_of(self.branches)

    def output_kind(self) -> OutputKind | None:
        """Probabilities stay so side by side and in products, but not in sums."""
        kinds = {branch.output_kind() for branch in self.branches}
        if self.mode != "sum" and kinds <= {"probability", "distribution"}:
            return "probability"
        return "real"

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        """Build every branch, and check that their outputs fit together."""
        shapes = [
            self.add_children("branches", [branch], input_shape, rng)
            for branch in copies(self.branches)
        ]
        for i, shape in enumerate(shapes):
            if self._compared(shape) != self._compared(shapes[0]):
                raise LayerError(
                    (*self.source, "branches", i),
                    self.type_name,
                    f"{self._expected(shapes[0])}, as the first branch gives, got "
                    f"{shape}.",
                )
        if self.mode == "concat":
            if not shapes[0]:
                raise ShapeError("expected outputs with at least one axis, got ().")
            return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
        return shapes[0]

    def _compared(self, shape: Shape) -> Shape:
        """Return what has to be equal; a last size that is free leaves their count."""
        return (*shape[:-1], len(shape)) if self.mode == "concat" else shape

    def _expected(self, first: Shape) -> str:
        if self.mode == "concat":
            return f"expected an output like {first} in all axes but the last"
        return f"expected an output of shape {first} to {self.mode}"

    def __call__(self, x: Tensor) -> Tensor:
        """Run every branch and combine what they give."""
        outputs = [run([branch], x) for branch in self.children.values()]
        if self.mode == "concat":
            return apply(Concat(), *outputs)
        return reduce(add if self.mode == "sum" else mul, outputs)
