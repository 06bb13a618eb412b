"""Embedding: a vector for each integer, and a last layer that uses the same vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Array, Shape, check_memory, xp
from nncli.core.errors import ArgumentError, DataError, ShapeError
from nncli.core.files import open_file
from nncli.core.npy import read_npy, read_npz
from nncli.core.randomness import Streams
from nncli.core.signature import Count, File, Positive
from nncli.initializers.base import Initializer
from nncli.initializers.constant import Zeros
from nncli.initializers.random import Normal
from nncli.layers.base import InputSpec, Layer
from nncli.ops.lookup import Lookup
from nncli.ops.matmul import Linear, affine


class Embedding(Layer, name="embedding"):
    """y = E[x]: integers (N, ...) → (N, ..., units), a trained vector for each of them.

    E (V, units), where V is what the inputs are below. N(0, 1) at first, as in PyTorch
    (Keras draws from ±0.05). With ``trainable: false`` the vectors stay as they are.

    Args:
        units: Length of each vector.
        padding: The integer that stands for nothing: its vector is 0 and gets no
            gradient, as PyTorch's padding_idx; null for none.
        init: First values of E; by default N(0, 1).
        weights: A file of first values (V, units): .npy, .npz with one array, or .txt
            with a row of numbers a line; relative to the config. A
            checkpoint holds what became of them. Example: vectors.npy.
        name: What a layer of type tied calls it.
    """

    units: Positive
    padding: Count | None = None
    init: Initializer | None = None
    weights: File | None = None
    name: str = ""

    takes = "integers"
    examples = (InputSpec((), 3), InputSpec((4,), 5), InputSpec((2, 3), 4))
    letters: ClassVar = {"weight": "E"}

    def __post_init__(self) -> None:
        if self.weights is not None and self.init is not None:
            raise ArgumentError("expected init or weights, got both.")

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        weight = add_table(self, self.units, self.padding, self.init, rng)
        if self.weights is not None and self.context.files:
            xp.copyto(weight.data, _vectors(Path(self.weights), weight.shape))
        if self.padding is not None:
            weight.data[self.padding] = 0
        if self.name:
            if self.name in self.context.weights:
                raise ShapeError(f"expected a name of its own, got {self.name!r}.")
            self.context.weights[self.name] = weight
        return (*input_shape, self.units)

    def __call__(self, x: Tensor) -> Tensor:
        weight = self.parameters["weight"]
        y = apply(Lookup(self.padding), weight, x)
        y.lookup = weight, x, self.padding
        return y


def add_table(
    layer: Layer,
    units: int,
    padding: int | None,
    init: Initializer | None,
    rng: Streams,
) -> Tensor:
    """Give a layer its parameter E (V, units), where V is what its inputs are below.

    Args:
        layer: Of integers; it is being built.
        units: Length of each vector.
        padding: The integer that stands for nothing.
        init: First values of E; by default N(0, 1).
        rng: Where they are drawn from.

    Raises:
        ShapeError: No input is the padding.
    """
    rows = layer.below or 0
    if padding is not None and padding >= rows:
        raise ShapeError(
            f"expected a padding below {rows}, as the inputs are, got {padding}."
        )
    return layer.add_parameter("weight", (rows, units), init or Normal(std=1.0), rng)


class Tied(Layer, name="tied"):
    """y = x Eᵀ + b: (N, ..., units) → (N, ..., V), with the E of an embedding.

    A score for each integer: how well the output fits its vector. E belongs to the
    embedding, which is trained by what both do; b (V,) is zero at first. Source: Press
    and Wolf 2017, "Using the output embedding to improve language models".

    Args:
        to: The name of the embedding, which stands before it.
        bias: Whether there is a b.
    """

    to: str
    bias: bool = True

    suits = "glorot_uniform"
    examples = (InputSpec((4,), 3),)
    behind = (Embedding(2, name="a"),)
    letters: ClassVar = {"bias": "b"}

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        known = self.context.weights
        if self.to not in known:
            names = ", ".join(map(repr, known)) or "none"
            raise ShapeError(
                f"expected the name of an embedding before it ({names}), got "
                f"{self.to!r}. Give one to the embedding: name: {self.to}."
            )
        weight = known[self.to]
        rows, units = weight.shape
        if input_shape[-1:] != (units,):
            raise ShapeError(
                f"expected inputs with {units} features in the last axis, as the "
                f"embedding {self.to!r} has, got {input_shape}. Put a dense layer with "
                f"units: {units} in front."
            )
        self.weight = weight
        if self.bias:
            self.add_parameter("bias", (rows,), Zeros(), rng)
        return (*input_shape[:-1], rows)

    def __call__(self, x: Tensor) -> Tensor:
        return apply(Linear(), x, self.weight, *self.parameters.values())

    def advance(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        if x.ndim < 3:
            return super().advance(x, state)
        bias = self.parameters["bias"].data if self.bias else None
        return Tensor(affine(x.data, self.weight.data, bias)), None


def _vectors(path: Path, shape: Shape) -> Array:
    """Read a matrix of a shape, and of finite numbers.

    Raises:
        ArgumentError: The file holds something else.
    """
    try:
        array = _matrix(path, shape)
    except (DataError, OSError, ValueError) as error:
        raise ArgumentError(f"weights: expected vectors, got: {error}") from None
    if array.shape != shape:
        raise ArgumentError(
            f"weights: expected {shape[0]} vectors of {shape[1]} numbers, one for each "
            f"integer below {shape[0]}, got shape {array.shape} in {path}."
        )
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ArgumentError(f"weights: expected finite numbers, got others in {path}.")
    return np.array(array, np.float64)


def _matrix(path: Path, shape: Shape) -> Array:
    if path.suffix == ".npy":
        return read_npy(path)
    if path.suffix == ".npz":
        arrays = read_npz(path)
        if len(arrays) != 1:
            raise ValueError(f"{path} with {len(arrays)} arrays instead of one.")
        return next(iter(arrays.values()))
    if path.suffix != ".txt":
        raise ValueError(f"{path}, which is no .npy, .npz or .txt.")
    with open_file(path) as file:
        size = path.stat().st_size
        check_memory((size,), xp.dtype(xp.float64), str(path))
        # One row more than there may be, to see that there are too many.
        rows = file.readlines(size)
        if not any(map(bytes.strip, rows)):
            raise ValueError(f"{path} without a line.")
        return np.loadtxt(rows, ndmin=2, comments=None, max_rows=shape[0] + 1)
