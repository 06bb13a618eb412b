"""EmbeddingBag: a vector for several integers together, such as the words of a text."""

from __future__ import annotations

from typing import ClassVar, Literal

from nncli.autograd.functions import maximum
from nncli.autograd.tensor import Tensor, apply
from nncli.core.arrays import Shape
from nncli.core.errors import ShapeError
from nncli.core.randomness import Streams
from nncli.core.signature import Count, Positive
from nncli.initializers.base import Initializer
from nncli.layers.base import InputSpec, Layer
from nncli.layers.embedding import add_table
from nncli.ops.lookup import Lookup


class EmbeddingBag(Layer, name="embedding_bag"):
    """y = mean or sum of E[x] along the last axis: (N, ..., W) → (N, ..., units).

    Integers whose order is lost: a bag of words. E (V, units), where V is what the
    inputs are below; N(0, 1) at first, as in PyTorch's EmbeddingBag.

    Args:
        units: Length of each vector.
        mode: What is made of the vectors. Of padding alone it is 0.
        padding: The integer that stands for nothing: it is left out, and its vector is
            not trained; null for none.
        init: First values of E; by default N(0, 1).
    """

    units: Positive
    mode: Literal["mean", "sum"] = "mean"
    padding: Count | None = None
    init: Initializer | None = None

    takes = "integers"
    examples = (InputSpec((4,), 3), InputSpec((2, 3), 4))
    letters: ClassVar = {"weight": "E"}

    def build(self, input_shape: Shape, rng: Streams) -> Shape:
        if not input_shape:
            raise ShapeError("expected several integers a row, got one.")
        add_table(self, self.units, self.padding, self.init, rng)
        return (*input_shape[:-1], self.units)

    def __call__(self, x: Tensor) -> Tensor:
        """Add up the vectors; in a mean, padding does not count."""
        if x.ndim == 2 and x.lengths is not None and self.padding is None:
            raise ShapeError(
                "expected the number of the padding that fills shorter rows, got "
                "padding: null."
            )
        y = apply(Lookup(self.padding), self.parameters["weight"], x).sum(axis=-2)
        if self.mode == "mean" and self.padding is None:
            y = y / x.shape[-1]
        elif self.mode == "mean":
            counts = (x != self.padding).sum(axis=-1, keepdims=True)
            y = y / maximum(counts, 1)
        if x.ndim > 2:
            y.lengths = x.lengths
        return y
