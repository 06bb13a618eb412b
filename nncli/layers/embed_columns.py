"""EmbedColumns: the categories of a table as trained vectors."""

from __future__ import annotations

from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ArgumentError, ShapeError
from nncli.core.randomness import Streams
from nncli.initializers.random import Normal
from nncli.layers.base import Layer
from nncli.ops import embed_columns


class EmbedColumns(Layer, name="embed_columns"):
    """The last elements of a row become rows of tables: (N, F + E) → (N, F + Σ D).

    The first layer of a network whose table has categories of many values: it is put
    there by itself, one table for each such column. Its rows stand for rare and unseen
    values (0 at first), for missing ones, and for each word.

    Source: Guo and Berkhahn 2016, "Entity embeddings of categorical variables".

    Args:
        sizes: [rows, dimensions] of each table, in the order of the codes.
    """

    sizes: list[list[int]]

    examples = ((3,), (4,))

    def __post_init__(self) -> None:
        if not self.sizes or any(len(s) != 2 or min(s) < 1 for s in self.sizes):
            raise ArgumentError(
                "expected a list of [rows, dimensions], each at least 1, got "
                f"{self.sizes}."
            )

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        count = len(self.sizes)
        if len(input_shape) != 1 or input_shape[0] < count:
            raise ShapeError(
                f"expected rows of at least {count} codes, got {input_shape}."
            )
        for i, (rows, dimensions) in enumerate(self.sizes):
            table = self.add_parameter(
                f"table_{i}", (rows, dimensions), Normal(0.1), rng
            )
            table.data[0] = 0
        return (input_shape[0] - count + sum(d for _, d in self.sizes),)

    def __call__(self, x: Tensor) -> Tensor:
        return apply(embed_columns.EmbedColumns(), x, *self.parameters.values())
